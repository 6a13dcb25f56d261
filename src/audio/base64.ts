const known = new WeakMap<Uint8Array, string>()

/** The base64 of audio that does not change; cached with the audio, since every caller hears the same greeting. */
export function base64Of(audio: Uint8Array): string {
  let base64 = known.get(audio)
  if (base64 === undefined) {
    base64 = Buffer.from(audio.buffer, audio.byteOffset, audio.byteLength).toString('base64')
    known.set(audio, base64)
  }
  return base64
}
