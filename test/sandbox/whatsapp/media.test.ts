import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { WhatsAppSandbox } from '../../../src/sandbox/whatsapp/sandbox.ts'
import { startWhatsAppSandbox } from '../../../src/sandbox/whatsapp/server.ts'

const ME = '972501111111'
const BOB = '972502222222'
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const folder = mkdtempSync(join(tmpdir(), 'sandbox-media-'))
let sandbox: WhatsAppSandbox

beforeAll(async () => {
  sandbox = await startWhatsAppSandbox({ port: 0 })
})
afterAll(async () => {
  await sandbox.close()
  rmSync(folder, { recursive: true })
})

test('media of every kind goes up and comes down between a real client and the phones', async () => {
  const certificate = join(folder, 'media.pem')
  writeFileSync(certificate, sandbox.mediaCertificate)
  const child = Bun.spawn({
    cmd: [
      process.execPath,
      join(import.meta.dir, 'media-process.ts'),
      sandbox.wsUrl,
      sandbox.controlUrl,
      ME,
      BOB,
      PIXEL,
    ],
    env: { NODE_EXTRA_CA_CERTS: certificate },
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: 20_000,
  })
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  const results = output
    .trim()
    .split('\n')
    .map((line) => (line.startsWith('{') ? JSON.parse(line) : line))
  expect({ results, errors }).toEqual({
    results: ['image', 'video', 'voice', 'document'].map((kind) => ({ kind, data: PIXEL })),
    errors: '',
  })
  expect(Buffer.from(await sandbox.receivedMedia(BOB, 'MEDIA01')).toString('base64')).toBe(PIXEL)
}, 30_000)

test('a host without the certificate is not trusted, and an upload without its token is refused', async () => {
  const [delivery] = sandbox.inbox(BOB)
  const url = delivery?.message.imageMessage?.url ?? ''
  await expect(fetch(url)).rejects.toThrow('self signed certificate')
  const trusted = { tls: { ca: sandbox.mediaCertificate } }
  expect((await fetch(url, trusted)).status).toBe(200)
  expect((await fetch(new URL('/mms/image/none', url), trusted)).status).toBe(404)
  expect((await fetch(new URL('/mms/image/new', url), { ...trusted, method: 'POST', body: 'x' })).status).toBe(401)
})
