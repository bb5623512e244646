/* Timers that a browser does not slow down while its tab is in the background. In: {id, wait_ms}; out: id. */

self.addEventListener("message", ({ data: { id, wait_ms } }) => setTimeout(() => self.postMessage(id), wait_ms));
