/* The transcript out of the page: to the clipboard, or as a file. */

import { toSrt, toText, toVtt } from "./subtitles.js";

const FORMATS = {
  txt: { write: toText, type: "text/plain" },
  srt: { write: toSrt, type: "application/x-subrip" },
  vtt: { write: toVtt, type: "text/vtt" },
};

export function download(lines, format) {
  const { write, type } = FORMATS[format];
  const url = URL.createObjectURL(new Blob([write(lines)], { type: `${type};charset=utf-8` }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `captions.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000); // a browser may read it after the click
}

/** Whether it worked. Without https the clipboard's own interface is missing: then the older way. */
export async function copy(lines) {
  const text = toText(lines);
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedBySelection(text);
  }
}

function copiedBySelection(text) {
  const focused = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return copied;
}
