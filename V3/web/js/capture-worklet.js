/* In the audio thread: the microphone's samples at the machine's rate to 16 kHz int16, 100 ms a message. */

import { Chunker, level, toInt16 } from "./pcm.js";
import { Resampler } from "./resample.js";

class Capture extends AudioWorkletProcessor {
  #resampler = new Resampler(sampleRate);
  #chunker = new Chunker();
  #running = true;

  constructor() {
    super();
    this.port.onmessage = () => {
      this.#post(this.#chunker.rest());
      this.#running = false;
      this.port.postMessage(null); // the last
    };
  }

  process([input]) {
    const mono = mixed(input);
    if (mono && this.#running) this.#chunker.push(this.#resampler.process(mono)).forEach((chunk) => this.#post(chunk));
    return this.#running;
  }

  #post(chunk) {
    if (!chunk.length) return;
    const pcm = toInt16(chunk).buffer;
    this.port.postMessage({ pcm, samples: chunk.length, level: level(chunk) }, [pcm]);
  }
}

function mixed(channels) {
  if (!channels?.length) return null; // no input yet
  if (channels.length === 1) return channels[0];
  return channels[0].map((_, i) => channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length);
}

registerProcessor("capture", Capture);
