import { decodeMulaw, encodeMulaw, MULAW_RATE } from '../../audio/mulaw.ts'

/** The highest tone of a telephone line. */
const CUTOFF_HZ = 3_400
const TAPS = 63
/** 20 ms, as the carrier sends them. */
const FRAME = 160

/** A low-pass filter, one sample at a time: a windowed sinc (Hamming). */
class LowPass {
  readonly #taps: Float32Array
  readonly #past = new Float32Array(TAPS)
  #at = 0

  constructor(rate: number) {
    const cutoff = CUTOFF_HZ / rate
    const middle = (TAPS - 1) / 2
    const taps = Float32Array.from({ length: TAPS }, (_, index) => {
      const x = index - middle
      const sinc = x === 0 ? 2 * cutoff : Math.sin(2 * Math.PI * cutoff * x) / (Math.PI * x)
      return sinc * (0.54 - 0.46 * Math.cos((2 * Math.PI * index) / (TAPS - 1)))
    })
    const sum = taps.reduce((all, tap) => all + tap, 0)
    this.#taps = taps.map((tap) => tap / sum)
  }

  filter(sample: number): number {
    this.#past[this.#at] = sample
    let sum = 0
    for (let tap = 0; tap < TAPS; tap++)
      sum += (this.#taps[tap] ?? 0) * (this.#past[(this.#at - tap + TAPS) % TAPS] ?? 0)
    this.#at = (this.#at + 1) % TAPS
    return sum
  }
}

/** From the microphone to the line: any sampling rate in, frames of 20 ms μ-law out. */
export class MicrophoneLine {
  readonly #low: LowPass
  readonly #step: number
  #left = 0
  #before = 0
  #frame = new Int16Array(FRAME)
  #filled = 0

  /** @param rate of the samples @param onFrame gets 160 bytes of its own */
  constructor(
    rate: number,
    private readonly onFrame: (frame: Uint8Array) => void,
  ) {
    this.#low = new LowPass(rate)
    this.#step = rate / MULAW_RATE
  }

  /** @param samples from −1 to 1 */
  push(samples: Float32Array): void {
    for (const sample of samples) {
      const now = this.#low.filter(sample)
      // Between the last sample and this one lies the next of the line, or none.
      for (; this.#left < 1; this.#left += this.#step) this.#add(this.#before + (now - this.#before) * this.#left)
      this.#left -= 1
      this.#before = now
    }
  }

  #add(sample: number): void {
    this.#frame[this.#filled++] = Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_767)))
    if (this.#filled < FRAME) return
    this.#filled = 0
    this.onFrame(encodeMulaw(this.#frame))
  }
}

type Queued = { samples: Int16Array } | { mark: string }

/** From the line to the loudspeaker: μ-law in, any sampling rate out. A mark returns when all before it was played. */
export class LoudspeakerLine {
  readonly #low: LowPass
  readonly #step: number
  #queue: Queued[] = []
  #read = 0
  #between = 0
  #before = 0
  #next = 0

  constructor(
    rate: number,
    private readonly onMark: (name: string) => void,
  ) {
    this.#low = new LowPass(rate)
    this.#step = MULAW_RATE / rate
  }

  play(mulaw: Uint8Array): void {
    this.#queue.push({ samples: decodeMulaw(mulaw) })
  }

  mark(name: string): void {
    this.#queue.push({ mark: name })
  }

  /** Drops what was not played. Its marks return at once, as the carrier does it. */
  clear(): void {
    const dropped = this.#queue
    this.#queue = []
    this.#read = 0
    for (const each of dropped) if ('mark' in each) this.onMark(each.mark)
  }

  /** Fills `out` with what plays next; silence when there is nothing. */
  fill(out: Float32Array): void {
    for (let index = 0; index < out.length; index++) {
      for (; this.#between >= 1; this.#between -= 1) {
        this.#before = this.#next
        this.#next = this.#take() / 32_768
      }
      out[index] = this.#low.filter(this.#before + (this.#next - this.#before) * this.#between)
      this.#between += this.#step
    }
    this.#returnMarks()
  }

  #take(): number {
    this.#returnMarks()
    const [first] = this.#queue
    if (!first || !('samples' in first)) return 0
    const sample = first.samples[this.#read++] ?? 0
    if (this.#read >= first.samples.length) {
      this.#queue.shift()
      this.#read = 0
    }
    return sample
  }

  #returnMarks(): void {
    for (let [first] = this.#queue; first && 'mark' in first; [first] = this.#queue) {
      this.#queue.shift()
      this.onMark(first.mark)
    }
  }
}
