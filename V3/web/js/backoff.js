/* How long to wait before the next attempt, and what a closed connection means. No DOM, no clock, no chance of its own. */

const FIRST_MS = 500;
const LONGEST_MS = 15000;

/** Doubles from half a second to 15 s; `random` in [0, 1) spreads clients of one server by 20 % to each side. */
export function delay_ms(attempt, random) {
  const plain_ms = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.round(plain_ms * (0.8 + 0.4 * random));
}

/**
 * Why a WebSocket closed: "token", "origin", "full", "idle", "too_big", "restart", "said" (only its words tell), "refused"
 * or "lost".
 *
 * `opened`: the server had taken the connection. A browser tells nothing of a refused handshake (code 1006 and no
 * reason): then `server_answers`, whether plain HTTP works, tells "refused" from a server that is away.
 */
export function meaning({ code, reason = "", opened, server_answers = false }) {
  const said = reason.toLowerCase();
  if (said.includes("origin")) return "origin";
  if (said.includes("idle") || said.startsWith("no message for")) return "idle";
  if (code === 1013) return "full";
  if (code === 1009) return "too_big";
  if (said.includes("token")) return "token";
  if (code === 1001 || code === 1012) return "restart";
  if (said) return "said";
  if (!opened && server_answers) return "refused";
  return "lost";
}
