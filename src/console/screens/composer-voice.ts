/** A recording that runs. */
export type Recording = {
  startedAt: number
  /** Ends it. @returns a voice note as WhatsApp takes it; `voice` is false where the browser could make none */
  finish(): Promise<{ blob: Blob; voice: boolean }>
  cancel(): void
}

const TYPES = ['audio/ogg;codecs=opus', 'audio/webm;codecs=opus', 'audio/mp4']

/** Records from the microphone. @throws DOMException when it may not be used or there is none */
export async function startRecording(): Promise<Recording> {
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  })
  const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type))
  const recorder = new MediaRecorder(stream, { ...(mimeType ? { mimeType } : {}), audioBitsPerSecond: 24_000 })
  const parts: Blob[] = []
  recorder.ondataavailable = ({ data }) => parts.push(data)
  const stopped = new Promise<void>((resolve) => {
    recorder.onstop = () => resolve()
  })
  const stop = () => {
    if (recorder.state !== 'inactive') recorder.stop()
    for (const track of stream.getTracks()) track.stop()
  }
  recorder.start(1_000)
  return {
    startedAt: Date.now(),
    async finish() {
      stop()
      await stopped
      return toVoiceNote(new Blob(parts, { type: recorder.mimeType }))
    },
    cancel: stop,
  }
}

/** WhatsApp takes a voice note as Opus in Ogg alone; browsers that record Opus put it into WebM, Safari records AAC. */
async function toVoiceNote(recorded: Blob): Promise<{ blob: Blob; voice: boolean }> {
  if (recorded.type.startsWith('audio/ogg')) return { blob: recorded, voice: true }
  try {
    const { BlobSource, BufferTarget, Conversion, Input, MP4, OggOutputFormat, Output, WEBM } = await import(
      'mediabunny'
    )
    const input = new Input({ source: new BlobSource(recorded), formats: [WEBM, MP4] })
    const output = new Output({ format: new OggOutputFormat(), target: new BufferTarget() })
    const conversion = await Conversion.init({ input, output, audio: { codec: 'opus' } })
    await conversion.execute()
    if (output.target.buffer)
      return { blob: new Blob([output.target.buffer], { type: 'audio/ogg;codecs=opus' }), voice: true }
  } catch (error) {
    console.warn('The recording could not be made a voice note; it is sent as a file.', error)
  }
  return { blob: recorded, voice: false }
}
