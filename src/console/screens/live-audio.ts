import { below } from '../app/base.ts'
import { client } from '../app/trpc.ts'

const RATE = 8_000
/** Buffered before it plays: parts of 100 or 300 ms come over a network. */
const LEAD_SECONDS = 0.4

/** ITU-T G.711: the linear value of every μ-law byte, between -1 and 1. */
function decodeTable(): Float32Array {
  return Float32Array.from({ length: 256 }, (_, byte) => {
    const code = ~byte & 0xff
    const magnitude = (((code & 0x0f) << 3) + 0x84) << ((code >> 4) & 7)
    return (code & 0x80 ? 0x84 - magnitude : magnitude - 0x84) / 32_768
  })
}

/**
 * Plays both sides of a live call until it is stopped or the call ends. To be called from a click: browsers play no sound before.
 * @param onEnd `lost` when it was neither stopped nor the end of the call
 * @returns stops it
 */
export function listenTo(callId: string, onEnd: (lost: boolean) => void): () => void {
  const context = new AudioContext()
  const table = decodeTable()
  let socket: WebSocket | null = null
  let stopped = false
  let next = 0

  const end = (lost: boolean) => {
    if (stopped) return
    stopped = true
    socket?.close()
    void context.close()
    onEnd(lost)
  }

  /** The first half of the bytes is the caller's, the second the agent's. */
  function play(bytes: Uint8Array) {
    const length = bytes.length / 2
    if (length === 0 || context.state === 'closed') return
    const buffer = context.createBuffer(1, length, RATE)
    const samples = buffer.getChannelData(0)
    for (let at = 0; at < length; at++)
      samples[at] = ((table[bytes[at] ?? 0xff] ?? 0) + (table[bytes[length + at] ?? 0xff] ?? 0)) * 0.7
    const source = context.createBufferSource()
    source.buffer = buffer
    source.connect(context.destination)
    if (next < context.currentTime) next = context.currentTime + LEAD_SECONDS
    source.start(next)
    next += length / RATE
  }

  void client.calls.listen.mutate({ id: callId }).then(
    ({ token, path }) => {
      if (stopped) return
      const address = new URL(below(path), location.href)
      address.protocol = address.protocol.replace('http', 'ws')
      socket = new WebSocket(address)
      socket.binaryType = 'arraybuffer'
      socket.onopen = () => socket?.send(token)
      socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => play(new Uint8Array(data))
      socket.onclose = ({ code }) => end(code !== 1000)
    },
    () => end(true),
  )
  return () => end(false)
}
