import { createSign, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'

export type SelfSigned = { certificate: string; privateKey: string }

const SEQUENCE = 0x30
const SET = 0x31
const ECDSA_SHA256 = oid('2a8648ce3d040302')

/** ECDSA P-256 for loopback, one year, DER by RFC 5280. Clients build `https://` from the media host, so media needs TLS. */
export function makeLoopbackCertificate(): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = der(
    SEQUENCE,
    der(SET, der(SEQUENCE, oid('550403'), der(0x0c, Buffer.from('AgentLocator sandbox media')))),
  )
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const now = Date.now()
  const alternativeNames = der(SEQUENCE, der(0x87, Buffer.from([127, 0, 0, 1])), der(0x82, Buffer.from('localhost')))
  const extensions = der(
    SEQUENCE,
    der(SEQUENCE, oid('551d11'), der(0x04, alternativeNames)),
    der(
      SEQUENCE,
      oid('551d13'),
      der(0x01, Buffer.from([0xff])),
      der(0x04, der(SEQUENCE, der(0x01, Buffer.from([0xff])))),
    ),
  )
  const serial = randomBytes(8)
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f)
  const body = der(
    SEQUENCE,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    der(SEQUENCE, ECDSA_SHA256),
    name,
    der(SEQUENCE, utcTime(now - 3_600_000), utcTime(now + 365 * 86_400_000)),
    name,
    spki,
    der(0xa3, extensions),
  )
  const signature = createSign('sha256').update(body).sign(privateKey)
  const bytes = der(SEQUENCE, body, der(SEQUENCE, ECDSA_SHA256), der(0x03, Buffer.from([0]), signature))
  const certificate = new X509Certificate(bytes).toString()
  return { certificate, privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([tag]), lengthBytes(body.length), body])
}

function lengthBytes(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length])
  if (length < 0x100) return Buffer.from([0x81, length])
  return Buffer.from([0x82, length >> 8, length & 0xff])
}

function oid(hex: string): Buffer {
  const bytes = Buffer.from(hex, 'hex')
  return Buffer.concat([Buffer.from([0x06, bytes.length]), bytes])
}

function utcTime(milliseconds: number): Buffer {
  const digits = new Date(milliseconds).toISOString().replace(/[-:T]/g, '').slice(2, 14)
  return der(0x17, Buffer.from(`${digits}Z`))
}
