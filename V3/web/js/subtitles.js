/* Captions as text, SRT and WebVTT. No DOM: lines in, a string out.
 *
 * A line is {start_ms, end_ms, text}, in the order of time. Long lines become several cues of at most two rows of
 * ROW_CHARS, their times in proportion to their letters; cues never overlap and never last less than MIN_CUE_MS.
 */

const ROW_CHARS = 42; // what players show in one row at their usual size
const CUE_CHARS = 2 * ROW_CHARS;
const MIN_CUE_MS = 200;

export function clock(total_ms, separator = ".") {
  const ms = Math.max(0, Math.round(total_ms));
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  const hours = two(ms / 3600000);
  const minutes = two((ms / 60000) % 60);
  const seconds = two((ms / 1000) % 60);
  return `${hours}:${minutes}:${seconds}${separator}${String(ms % 1000).padStart(3, "0")}`;
}

/** "1:02.5", "1:00:02.5": for reading, to a tenth of a second. */
export function shortClock(total_ms) {
  const tenths = Math.max(0, Math.floor(total_ms / 100));
  const [hours, minutes] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60];
  const seconds = `${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

export function toText(lines) {
  return lines.map((line) => `${oneRow(line.text)}\n`).join("");
}

export function toSrt(lines) {
  const cue = ({ start_ms, end_ms, rows }, index) =>
    `${index + 1}\n${clock(start_ms, ",")} --> ${clock(end_ms, ",")}\n${rows.map(srtRow).join("\n")}\n`;
  return cues(lines).map(cue).join("\n");
}

export function toVtt(lines) {
  const cue = ({ start_ms, end_ms, rows }) =>
    `${clock(start_ms)} --> ${clock(end_ms)}\n${rows.map(vttRow).join("\n")}\n`;
  return ["WEBVTT\n", ...cues(lines).map(cue)].join("\n");
}

export function cues(lines) {
  const all = lines.filter((line) => oneRow(line.text)).flatMap(split);
  return all.map((cue, index) => {
    const next_ms = index + 1 < all.length ? all[index + 1].start_ms : Infinity;
    const end_ms = Math.max(cue.start_ms + MIN_CUE_MS, Math.min(cue.end_ms, next_ms));
    return { ...cue, end_ms: Math.min(end_ms, Math.max(next_ms, cue.start_ms + 1)) };
  });
}

function split(line) {
  const pieces = filled(oneRow(line.text).split(" "), CUE_CHARS);
  const letters = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const span_ms = Math.max(MIN_CUE_MS, line.end_ms - line.start_ms);
  let before = 0;
  return pieces.map((piece) => {
    const start_ms = line.start_ms + (span_ms * before) / letters;
    before += piece.length;
    return { start_ms, end_ms: line.start_ms + (span_ms * before) / letters, rows: twoRows(piece) };
  });
}

/** Words put together into pieces of at most `chars`; a longer word stays whole. */
function filled(words, chars) {
  const pieces = [];
  for (const word of words) {
    const last = pieces.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= chars) pieces[pieces.length - 1] = `${last} ${word}`;
    else pieces.push(word);
  }
  return pieces;
}

/** One row, or two of about the same length. */
function twoRows(piece) {
  if (piece.length <= ROW_CHARS) return [piece];
  const gaps = [...piece.matchAll(/ /g)].map((match) => match.index);
  if (!gaps.length) return [piece];
  const middle = piece.length / 2;
  const gap = gaps.reduce((best, at) => (Math.abs(at - middle) < Math.abs(best - middle) ? at : best));
  return [piece.slice(0, gap), piece.slice(gap + 1)];
}

function oneRow(text) {
  return text.replace(/\s+/g, " ").trim();
}

function srtRow(row) {
  return row.replaceAll("-->", "→"); // else a player may read the row as a cue's times; SRT has no escape
}

function vttRow(row) {
  return row.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
