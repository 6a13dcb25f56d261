/** Samples a second in which an Ogg page counts, whatever the audio was sampled at (RFC 7845, section 4). */
const GRANULE_RATE = 48_000
const PACKET_MS = 20
/** A page holds 255 segments; packets of speech take one each, so that a second fits. */
const PACKETS_A_PAGE = 50
const SERIAL = 1
const FIRST = 0x02
const LAST = 0x04

/** Packets of one channel, 20 ms each. */
export type OpusPackets = {
  packets: readonly Uint8Array[]
  /** Of what was encoded: 8,000 to 48,000. */
  sampleRate: number
  /** Samples at `sampleRate`, without the silence that fills the last packet. */
  samples: number
  /** Samples at `sampleRate` by which the encoder is late. */
  lookahead: number
}

/** Puts Opus packets into an Ogg file (RFC 3533, RFC 7845), as WhatsApp takes a voice note. */
export function writeOggOpus({ packets, sampleRate, samples, lookahead }: OpusPackets): Uint8Array<ArrayBuffer> {
  const scale = GRANULE_RATE / sampleRate
  const preSkip = Math.round(lookahead * scale)
  const head = new Uint8Array(19)
  const fields = new DataView(head.buffer)
  head.set(new TextEncoder().encode('OpusHead'))
  fields.setUint8(8, 1)
  fields.setUint8(9, 1)
  fields.setUint16(10, preSkip, true)
  fields.setUint32(12, sampleRate, true)
  const vendor = new TextEncoder().encode('agentlocator')
  const tags = new Uint8Array(16 + vendor.length)
  tags.set(new TextEncoder().encode('OpusTags'))
  new DataView(tags.buffer).setUint32(8, vendor.length, true)
  tags.set(vendor, 12)
  const pages = [
    page([head], { flags: FIRST, granule: 0, sequence: 0 }),
    page([tags], { flags: 0, granule: 0, sequence: 1 }),
  ]
  for (let from = 0; from < packets.length; from += PACKETS_A_PAGE) {
    const to = Math.min(from + PACKETS_A_PAGE, packets.length)
    const isLast = to === packets.length
    // The last page ends where the sound does: players cut the rest of its packet.
    const granule = isLast ? preSkip + Math.round(samples * scale) : (to * PACKET_MS * GRANULE_RATE) / 1_000
    pages.push(page(packets.slice(from, to), { flags: isLast ? LAST : 0, granule, sequence: pages.length }))
  }
  const file = new Uint8Array(pages.reduce((sum, each) => sum + each.length, 0))
  let offset = 0
  for (const each of pages) {
    file.set(each, offset)
    offset += each.length
  }
  return file
}

function page(
  packets: readonly Uint8Array[],
  { flags, granule, sequence }: { flags: number; granule: number; sequence: number },
): Uint8Array {
  // A packet ends with its first segment shorter than 255 bytes.
  const lacing = packets.flatMap(({ length }) => [...Array<number>(Math.floor(length / 255)).fill(255), length % 255])
  if (lacing.length > 255) throw new RangeError('The packets do not fit into one page.')
  const body = packets.reduce((sum, { length }) => sum + length, 0)
  const bytes = new Uint8Array(27 + lacing.length + body)
  const fields = new DataView(bytes.buffer)
  bytes.set(new TextEncoder().encode('OggS'))
  fields.setUint8(5, flags)
  fields.setBigUint64(6, BigInt(granule), true)
  fields.setUint32(14, SERIAL, true)
  fields.setUint32(18, sequence, true)
  fields.setUint8(26, lacing.length)
  bytes.set(lacing, 27)
  let offset = 27 + lacing.length
  for (const packet of packets) {
    bytes.set(packet, offset)
    offset += packet.length
  }
  fields.setUint32(22, checksum(bytes), true)
  return bytes
}

/** The CRC of RFC 3533: polynomial 0x04c11db7, not reflected, from 0. */
function checksum(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 24
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1
  }
  return crc >>> 0
}
