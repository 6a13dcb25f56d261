import { AppError } from '../../lib/errors.ts'

/**
 * Silero VAD v5, its 8 kHz branch, in plain TypeScript: STFT magnitudes, four convolutions, one LSTM cell, one output.
 * Agrees with ONNX Runtime to 2e-7. Where the weights come from: NOTICE.md.
 */

/** Samples of one look: 32 ms at 8 kHz. */
export const SILERO_FRAME = 256

const CONTEXT = 32
const BINS = 65
const HIDDEN = 128
/** Lengths of the parts of the weights file, in order. */
const LAYOUT = {
  basis: 2 * BINS * 128,
  kernel0: 128 * 3 * BINS,
  bias0: 128,
  kernel1: 64 * 3 * 128,
  bias1: 64,
  kernel2: 64 * 3 * 64,
  bias2: 64,
  kernel3: 128 * 64,
  bias3: 128,
  lstm: 4 * HIDDEN * (128 + HIDDEN),
  lstmBias: 4 * HIDDEN,
  out: HIDDEN,
  outBias: 1,
} as const
type Weights = Record<keyof typeof LAYOUT, Float32Array>

let loading: Promise<SileroModel> | undefined

/** The model, read from its file the first time and shared after. */
export function loadSilero(): Promise<SileroModel> {
  loading ??= Bun.file(new URL('./silero-v5-8k.bin', import.meta.url))
    .arrayBuffer()
    .then((file) => new SileroModel(cutWeights(file)))
  return loading
}

function cutWeights(file: ArrayBuffer): Weights {
  const wanted = Object.values(LAYOUT).reduce((sum, length) => sum + length, 0) * 4
  if (file.byteLength !== wanted)
    throw new AppError(
      'internal',
      'bad_vad_weights',
      `silero-v5-8k.bin has ${file.byteLength} bytes instead of ${wanted}.`,
    )
  let offset = 0
  const cut = (name: keyof typeof LAYOUT) => {
    const part = new Float32Array(file, offset, LAYOUT[name])
    offset += part.byteLength
    return part
  }
  return {
    basis: cut('basis'),
    kernel0: cut('kernel0'),
    bias0: cut('bias0'),
    kernel1: cut('kernel1'),
    bias1: cut('bias1'),
    kernel2: cut('kernel2'),
    bias2: cut('bias2'),
    kernel3: cut('kernel3'),
    bias3: cut('bias3'),
    lstm: cut('lstm'),
    lstmBias: cut('lstmBias'),
    out: cut('out'),
    outBias: cut('outBias'),
  }
}

/** Weights and scratch memory. Work is synchronous, so any number of streams share one model on one thread. */
export class SileroModel {
  readonly #weights: Weights
  readonly #input = new Float32Array(CONTEXT + SILERO_FRAME + CONTEXT)
  // Activations lie time-major with a frame of zeros in front (and behind), which is the convolutions' padding.
  readonly #magnitudes = new Float32Array(BINS * 6)
  readonly #layer1 = new Float32Array(128 * 5)
  readonly #layer2 = new Float32Array(64 * 3)
  readonly #layer3 = new Float32Array(64)
  readonly #cell = new Float32Array(128 + HIDDEN)

  constructor(weights: Weights) {
    this.#weights = weights
  }

  stream(): SileroStream {
    return new SileroStream(this)
  }

  /** One look: 256 samples and the stream's memory in, the probability of speech out, the memory moved on. */
  look(pcm: Int16Array, context: Float32Array, hidden: Float32Array, memory: Float32Array): number {
    const w = this.#weights
    const x = this.#input
    x.set(context, 0)
    for (let i = 0; i < SILERO_FRAME; i++) x[CONTEXT + i] = (pcm[i] as number) / 32768
    // The end is padded by reflection, as the STFT was trained.
    for (let i = 0; i < CONTEXT; i++) x[CONTEXT + SILERO_FRAME + i] = x[CONTEXT + SILERO_FRAME - 2 - i] as number
    context.set(x.subarray(SILERO_FRAME, SILERO_FRAME + CONTEXT))
    const m0 = this.#magnitudes
    for (let t = 0; t < 4; t++)
      for (let bin = 0; bin < BINS; bin++) {
        const re = dot(w.basis, bin * 128, x, t * 64, 128)
        const im = dot(w.basis, (BINS + bin) * 128, x, t * 64, 128)
        m0[(t + 1) * BINS + bin] = Math.sqrt(re * re + im * im)
      }
    for (let t = 0; t < 4; t++) convolve(w.kernel0, w.bias0, m0, t * BINS, 3 * BINS, this.#layer1, (t + 1) * 128)
    for (let t = 0; t < 2; t++) convolve(w.kernel1, w.bias1, this.#layer1, t * 256, 384, this.#layer2, (t + 1) * 64)
    convolve(w.kernel2, w.bias2, this.#layer2, 0, 192, this.#layer3, 0)
    convolve(w.kernel3, w.bias3, this.#layer3, 0, 64, this.#cell, 0)
    this.#cell.set(hidden, 128)
    return this.#recur(hidden, memory)
  }

  #recur(hidden: Float32Array, memory: Float32Array): number {
    const { lstm, lstmBias, out, outBias } = this.#weights
    const gate = (row: number) => (lstmBias[row] as number) + dot(lstm, row * 256, this.#cell, 0, 256)
    let y = outBias[0] as number
    for (let k = 0; k < HIDDEN; k++) {
      const input = sigmoid(gate(k))
      const forget = sigmoid(gate(HIDDEN + k))
      const candidate = Math.tanh(gate(2 * HIDDEN + k))
      const output = sigmoid(gate(3 * HIDDEN + k))
      const state = forget * (memory[k] as number) + input * candidate
      memory[k] = state
      const value = output * Math.tanh(state)
      hidden[k] = value
      if (value > 0) y += value * (out[k] as number)
    }
    return sigmoid(y)
  }
}

/** One line being listened to. */
export class SileroStream {
  readonly #model: SileroModel
  readonly #context = new Float32Array(CONTEXT)
  readonly #hidden = new Float32Array(HIDDEN)
  readonly #memory = new Float32Array(HIDDEN)

  constructor(model: SileroModel) {
    this.#model = model
  }

  /** The probability of speech, 0 to 1, in the next 256 samples. */
  process(pcm: Int16Array): number {
    return this.#model.look(pcm, this.#context, this.#hidden, this.#memory)
  }

  reset(): void {
    this.#context.fill(0)
    this.#hidden.fill(0)
    this.#memory.fill(0)
  }
}

/** One time step of a convolution with ReLU: every row of the kernel is one contiguous dot product. */
function convolve(
  kernel: Float32Array,
  bias: Float32Array,
  from: Float32Array,
  fromOffset: number,
  width: number,
  to: Float32Array,
  toOffset: number,
): void {
  for (let o = 0; o < bias.length; o++) {
    const value = (bias[o] as number) + dot(kernel, o * width, from, fromOffset, width)
    to[toOffset + o] = Math.max(value, 0)
  }
}

/** Four sums at once keep the floating-point units busy; this is where all the time goes. */
function dot(a: Float32Array, aOffset: number, b: Float32Array, bOffset: number, length: number): number {
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  const whole = length & ~3
  for (let i = 0; i < whole; i += 4) {
    s0 += (a[aOffset + i] as number) * (b[bOffset + i] as number)
    s1 += (a[aOffset + i + 1] as number) * (b[bOffset + i + 1] as number)
    s2 += (a[aOffset + i + 2] as number) * (b[bOffset + i + 2] as number)
    s3 += (a[aOffset + i + 3] as number) * (b[bOffset + i + 3] as number)
  }
  for (let i = whole; i < length; i++) s0 += (a[aOffset + i] as number) * (b[bOffset + i] as number)
  return s0 + s1 + s2 + s3
}

function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value))
}
