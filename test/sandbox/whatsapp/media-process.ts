// A bare Baileys client in its own process, which trusts the sandbox's certificate (NODE_EXTRA_CA_CERTS). Arguments: socket
// URL, control URL, phone, contact, base64 of an image to send. Prints one JSON line per result.
import { downloadMediaMessage } from '@whiskeysockets/baileys'
import { z } from 'zod'
import { LIBSIGNAL_LINES, quietConsole } from '../../../src/lib/quiet-console.ts'
import { Client, MemoryAuth, until } from './client.ts'

const [wsUrl, controlUrl, phone, contact, image] = z
  .tuple([z.string(), z.string(), z.string(), z.string(), z.string()])
  .parse(process.argv.slice(2))

quietConsole(LIBSIGNAL_LINES)

const post = (path: string, body: unknown) =>
  fetch(`${controlUrl}/${path}`, { method: 'POST', body: JSON.stringify(body) })

const auth = new MemoryAuth()
const first = new Client(wsUrl, auth)
await post('scan', { qr: await until(() => first.qr(), 'a QR code'), phone })
await until(() => first.closeCode() === 515, 'the restart after pairing')
const client = new Client(wsUrl, auth)
await until(() => client.isOpen, 'the client to open')
await client.sock.sendMessage(
  `${contact}@s.whatsapp.net`,
  { image: Buffer.from(image, 'base64'), caption: 'a pixel', jpegThumbnail: '' },
  { messageId: 'MEDIA01' },
)
for (const content of [
  { kind: 'image', data: image, mimeType: 'image/png', caption: 'look' },
  { kind: 'video', data: image },
  { kind: 'voice', data: image, seconds: 3 },
  { kind: 'document', data: image, fileName: 'offer.pdf' },
]) {
  const response = await post('send', { from: contact, to: phone, content })
  const { id } = z.object({ id: z.string() }).parse(await response.json())
  const message = await until(() => client.received(id), 'the message')
  const bytes = await downloadMediaMessage(message, 'buffer', {})
  console.log(JSON.stringify({ kind: content.kind, data: bytes.toString('base64') }))
}
await client.end()
process.exit(0)
