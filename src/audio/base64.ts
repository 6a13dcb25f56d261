const known = new WeakMap<Uint8Array, string>()

/** The base64 of audio that does not change; made once for as long as the audio is kept, since a greeting is said to everybody. */
export function base64Of(audio: Uint8Array): string {
  let base64 = known.get(audio)
  if (base64 === undefined) {
    base64 = Buffer.from(audio.buffer, audio.byteOffset, audio.byteLength).toString('base64')
    known.set(audio, base64)
  }
  return base64
}
