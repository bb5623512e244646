/* Keeps a phone's screen on while it listens: with the screen its microphone goes off. Where that is not to be had, so be it. */

let lock = null;

export async function keepAwake(wanted) {
  try {
    if (wanted && !lock) {
      lock = await navigator.wakeLock.request("screen");
      lock.addEventListener("release", () => (lock = null), { once: true }); // the system may take it back
    } else if (!wanted) await lock?.release();
  } catch {
    lock = null; // no such thing here, or a low battery: listening goes on all the same
  }
}
