/* Where audio comes from: a microphone, or a file. Both give chunks {pcm, samples, level} of 16 kHz int16.
 *
 * Errors are SourceError with a `why` that texts.js has a sentence for.
 */

import { CHUNK_SAMPLES, RATE_HZ, level, toInt16 } from "./pcm.js";

const MOST_FILE_BYTES = 300e6; // decoded audio is several times as large, and all of it in memory
const FLUSH_MS = 500;

export class SourceError extends Error {
  constructor(why) {
    super(why);
    this.why = why;
  }
}

const MICROPHONE_WHYS = {
  NotAllowedError: "microphone_refused",
  SecurityError: "microphone_refused",
  NotFoundError: "microphone_missing",
  OverconstrainedError: "microphone_missing",
  NotReadableError: "microphone_busy",
};

export class Microphone {
  #context;
  #node;
  #stream;

  /** Opens the machine's default microphone. `onlost`: it was unplugged. */
  static async open({ onchunk, onlost }) {
    const stream = await permitted();
    const microphone = new Microphone();
    microphone.#stream = stream;
    try {
      await microphone.#listen(onchunk, onlost);
    } catch (error) {
      microphone.#release();
      throw error;
    }
    return microphone;
  }

  async #listen(onchunk, onlost) {
    this.#context = new AudioContext();
    await this.#context.audioWorklet.addModule(new URL("./capture-worklet.js", import.meta.url));
    await this.#context.resume();
    this.#node = new AudioWorkletNode(this.#context, "capture", { numberOfOutputs: 0 });
    this.#node.port.onmessage = ({ data }) => data && onchunk(data);
    this.#context.createMediaStreamSource(this.#stream).connect(this.#node);
    this.#stream.getAudioTracks()[0].addEventListener("ended", onlost);
  }

  /** Resolves once the samples that were still gathered have been given out. */
  async stop() {
    const handler = this.#node.port.onmessage;
    const flushed = new Promise((resolve) => {
      this.#node.port.onmessage = (event) => (event.data === null ? resolve() : handler(event));
      setTimeout(resolve, FLUSH_MS);
    });
    this.#node.port.postMessage("stop");
    await flushed;
    this.#node.port.onmessage = null;
    this.#release();
  }

  #release() {
    this.#stream.getTracks().forEach((track) => track.stop());
    this.#context?.close();
  }
}

async function permitted() {
  if (!navigator.mediaDevices?.getUserMedia) throw new SourceError("microphone_insecure");
  const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw new SourceError(MICROPHONE_WHYS[error.name] ?? "microphone_failed");
  }
}

/** A file's audio as 16 kHz mono float32, decoded by the browser. */
export async function decodedFile(file) {
  if (file.size > MOST_FILE_BYTES) throw new SourceError("file_too_big");
  let audio;
  try {
    audio = await new OfflineAudioContext(1, 1, RATE_HZ).decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new SourceError("file_unreadable");
  }
  if (!audio.length) throw new SourceError("file_unreadable");
  const mono = audio.getChannelData(0).slice();
  for (let i = 1; i < audio.numberOfChannels; i += 1) {
    audio.getChannelData(i).forEach((sample, at) => (mono[at] += sample));
  }
  return audio.numberOfChannels > 1 ? mono.map((sample) => sample / audio.numberOfChannels) : mono;
}

/** Chunk number `index` of samples, or null past their end. */
export function chunkAt(samples, index) {
  const chunk = samples.subarray(index * CHUNK_SAMPLES, (index + 1) * CHUNK_SAMPLES);
  return chunk.length ? { pcm: toInt16(chunk).buffer, samples: chunk.length, level: level(chunk) } : null;
}

export function silence(duration_ms) {
  const samples = Math.round((duration_ms * RATE_HZ) / 1000);
  return { pcm: new ArrayBuffer(2 * samples), samples, level: 0 };
}
