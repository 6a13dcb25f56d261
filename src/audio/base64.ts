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

/** Writes base64 as bytes. @returns how many */
export function writeBase64(into: Buffer, payload: string, at: number): number {
  return into.base64Write(payload, at)
}

declare global {
  interface Buffer<TArrayBuffer extends ArrayBufferLike = ArrayBufferLike> {
    /** What `write(text, offset, 'base64')` comes to, a third faster; in Bun and Node, though not in their types. */
    base64Write(text: string, offset: number): number
  }
}
