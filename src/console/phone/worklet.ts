import { LoudspeakerLine, MicrophoneLine } from './line.ts'

/** What the page tells the audio thread. */
export type ToWorklet = { play: Uint8Array } | { mark: string } | { clear: true } | { muted: boolean }
/** What it answers: a frame of the microphone, or a mark that was reached. */
export type FromWorklet = { frame: Uint8Array } | { mark: string }

/** The scope of an audio worklet, which the types of the DOM do not have. */
declare const sampleRate: number
declare class AudioWorkletProcessor {
  readonly port: MessagePort
}
declare function registerProcessor(name: string, processor: typeof AudioWorkletProcessor): void

class Telephone extends AudioWorkletProcessor {
  readonly #microphone = new MicrophoneLine(sampleRate, (frame) => this.#tell({ frame }))
  readonly #loudspeaker = new LoudspeakerLine(sampleRate, (mark) => this.#tell({ mark }))
  #muted = false

  constructor() {
    super()
    this.port.onmessage = ({ data }: MessageEvent<ToWorklet>) => {
      if ('play' in data) this.#loudspeaker.play(data.play)
      else if ('mark' in data) this.#loudspeaker.mark(data.mark)
      else if ('clear' in data) this.#loudspeaker.clear()
      else this.#muted = data.muted
    }
  }

  process([input]: Float32Array[][], [output]: Float32Array[][]): boolean {
    const [loudspeaker, ...others] = output ?? []
    if (!loudspeaker) return true
    const heard = input?.[0]
    // A line goes on while its microphone is mute.
    this.#microphone.push(heard && !this.#muted ? heard : new Float32Array(loudspeaker.length))
    this.#loudspeaker.fill(loudspeaker)
    for (const other of others) other.set(loudspeaker)
    return true
  }

  #tell(message: FromWorklet): void {
    this.port.postMessage(message)
  }
}

registerProcessor('telephone', Telephone)
