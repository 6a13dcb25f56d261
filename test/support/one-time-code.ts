/** RFC 6238 with SHA-1, six digits, thirty seconds. @param later windows from now */
export async function oneTimeCode(secret: string, later = 0): Promise<string> {
  const bits = [...secret.replace(/=+$/, '')]
    .map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'))
    .join('')
  const key = Uint8Array.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
  const counter = new DataView(new ArrayBuffer(8))
  counter.setBigUint64(0, BigInt(Math.floor(Date.now() / 30_000) + later))
  const hmac = new Bun.CryptoHasher('sha1', key).update(new Uint8Array(counter.buffer)).digest()
  const at = (hmac[19] ?? 0) & 15
  const value = new DataView(hmac.buffer, hmac.byteOffset + at, 4).getUint32(0) & 0x7fffffff
  return String(value % 1_000_000).padStart(6, '0')
}
