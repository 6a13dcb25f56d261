const GRANULES_A_SECOND = 48_000

/**
 * Seconds of an Ogg Opus file (RFC 7845: granule positions count 48 kHz samples, from which the pre-skip of the header is taken) or
 * of a WAV file; null for other formats, whose length their vendor finds. 0 is a file without sound.
 */
export function audioSeconds(audio: Uint8Array): number | null {
  const bytes = Buffer.from(audio.buffer, audio.byteOffset, audio.byteLength)
  if (bytes.subarray(0, 4).toString('latin1') === 'OggS') return oggSeconds(bytes)
  if (bytes.subarray(0, 4).toString('latin1') === 'RIFF' && bytes.length >= 44) {
    const bytesASecond = bytes.readUInt32LE(28)
    return bytesASecond > 0 ? (bytes.length - 44) / bytesASecond : 0
  }
  return null
}

function oggSeconds(bytes: Buffer): number | null {
  const head = bytes.indexOf('OpusHead', 0, 'latin1')
  // Ogg holds other codecs too, which count in other units.
  if (head < 0 || head > 4_096 || head + 12 > bytes.length) return null
  const preSkip = bytes.readUInt16LE(head + 10)
  for (let page = bytes.lastIndexOf('OggS', bytes.length, 'latin1'); page > 0; ) {
    if (page + 14 <= bytes.length) {
      const granule = bytes.readBigInt64LE(page + 6)
      // -1: no packet ends on this page.
      if (granule >= 0n) return Math.max(0, Number(granule) - preSkip) / GRANULES_A_SECOND
    }
    page = bytes.lastIndexOf('OggS', page - 1, 'latin1')
  }
  return 0
}
