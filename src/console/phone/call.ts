import { below } from '../app/base.ts'
import type { FromWorklet, ToWorklet } from './worklet.ts'

/** The name of the built worklet, set by the build. */
declare const WORKLET_FILE: string

/** How long the server may take to close the stream of a call that was hung up. */
const CLOSE_MS = 2_000

export type Telephone = {
  /** Puts the call through. @returns resolves when the stream is open */
  dial(call: { callSid: string; token: string; businessId: string }): Promise<void>
  mute(muted: boolean): void
  /** Presses a key. */
  press(digit: string): void
  hangUp(): void
}

/**
 * A telephone in the browser: microphone and loudspeaker over an audio worklet, and the carrier's frames to our own media
 * socket (Twilio, Media Streams). To be opened by a click: the browser asks for the microphone.
 * @param onEnd called once, with the reason for which the stream was closed
 * @throws DOMException `NotAllowedError` and others of `getUserMedia`
 */
export async function openTelephone(onEnd: (reason: string) => void): Promise<Telephone> {
  const audio = new AudioContext()
  let microphone: MediaStream | null = null
  try {
    microphone = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    })
    await audio.audioWorklet.addModule(new URL(WORKLET_FILE, import.meta.url).href)
    const node = new AudioWorkletNode(audio, 'telephone', { outputChannelCount: [1] })
    audio.createMediaStreamSource(microphone).connect(node).connect(audio.destination)
    await audio.resume()
    return new BrowserTelephone(audio, microphone, node, onEnd)
  } catch (error) {
    release(audio, microphone)
    throw error
  }
}

/** The browser shows a microphone as used until its tracks are stopped. */
function release(audio: AudioContext, microphone: MediaStream | null): void {
  for (const track of microphone?.getTracks() ?? []) track.stop()
  void audio.close()
}

class BrowserTelephone implements Telephone {
  readonly #streamSid = `MZ${crypto.randomUUID().replaceAll('-', '')}`
  #socket: WebSocket | null = null
  #sequence = 0
  #frames = 0
  #isOver = false

  constructor(
    private readonly audio: AudioContext,
    private readonly microphone: MediaStream,
    private readonly node: AudioWorkletNode,
    private readonly onEnd: (reason: string) => void,
  ) {
    node.port.onmessage = ({ data }: MessageEvent<FromWorklet>) => {
      if ('mark' in data) this.#send('mark', { mark: { name: data.mark } })
      else this.#sendFrame(data.frame)
    }
  }

  dial({ callSid, token, businessId }: { callSid: string; token: string; businessId: string }): Promise<void> {
    const url = new URL(below('/ws/test-call'), location.href)
    url.protocol = url.protocol.replace('http', 'ws')
    url.searchParams.set('business', businessId)
    const socket = new WebSocket(url)
    socket.onmessage = ({ data }) => this.#receive(String(data))
    socket.onclose = ({ reason }) => this.#end(reason)
    return new Promise((resolve, reject) => {
      socket.onerror = () => reject(new Error('The line could not be opened.'))
      socket.onopen = () => {
        socket.send(JSON.stringify({ event: 'connected', protocol: 'Call', version: '1.0.0' }))
        this.#socket = socket
        this.#send('start', {
          start: {
            streamSid: this.#streamSid,
            callSid,
            tracks: ['inbound'],
            mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
            customParameters: { token },
          },
        })
        resolve()
      }
    })
  }

  mute(muted: boolean): void {
    this.#tell({ muted })
  }

  press(digit: string): void {
    this.#send('dtmf', { dtmf: { track: 'inbound_track', digit } })
  }

  hangUp(): void {
    // The server ends the call and closes the stream; without a stream there is nothing to wait for.
    this.#send('stop', { stop: {} })
    setTimeout(() => this.#end('caller_hung_up'), this.#socket ? CLOSE_MS : 0)
  }

  #receive(text: string): void {
    const frame: { event?: string; media?: { payload: string }; mark?: { name: string } } = JSON.parse(text)
    if (frame.media) this.#tell({ play: Uint8Array.from(atob(frame.media.payload), (char) => char.charCodeAt(0)) })
    else if (frame.mark) this.#tell({ mark: frame.mark.name })
    else if (frame.event === 'clear') this.#tell({ clear: true })
  }

  #sendFrame(frame: Uint8Array): void {
    // The time of the line begins with its stream.
    if (this.#socket?.readyState !== WebSocket.OPEN) return
    const payload = btoa(String.fromCharCode(...frame))
    const timestamp = String(this.#frames++ * 20)
    this.#send('media', { media: { track: 'inbound', chunk: String(this.#frames), timestamp, payload } })
  }

  #send(event: string, body: object): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return
    // `event` first: the server cuts frames of audio out of the text.
    const head = { event, sequenceNumber: String(++this.#sequence), streamSid: this.#streamSid }
    this.#socket.send(JSON.stringify({ ...head, ...body }))
  }

  #tell(message: ToWorklet): void {
    this.node.port.postMessage(message)
  }

  #end(reason: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#socket?.close(1000)
    release(this.audio, this.microphone)
    this.onEnd(reason)
  }
}
