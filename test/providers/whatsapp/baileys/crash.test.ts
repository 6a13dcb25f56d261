import { expect, test } from 'bun:test'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startWhatsAppSandbox } from '../../../../src/sandbox/whatsapp/server.ts'
import { randomNumbers, withSeed } from '../../../support/seed.ts'

const ME = '+972501111111'
const BOB = '+972502222222'
const KILLS = 8
const OUTBOUND = 120

test(
  'killed at random moments: nothing inbound is lost, and no key is ever used twice',
  withSeed(async (seed) => {
    const random = randomNumbers(seed)
    const folder = mkdtempSync(join(tmpdir(), 'whatsapp-crash-'))
    const key = randomBytes(32).toString('hex')
    const sandbox = await startWhatsAppSandbox({ port: 0 })
    const program = join(import.meta.dir, 'crash-process.ts')
    let qr: string | null = null
    let state = ''
    let complaints = ''
    const spawn = () => {
      state = ''
      const child = Bun.spawn({
        cmd: [process.execPath, program, sandbox.wsUrl, folder, key, String(OUTBOUND)],
        stdout: 'pipe',
        stderr: 'pipe',
      })
      const listen = async () => {
        complaints = await new Response(child.stderr).text()
      }
      void listen()
      const follow = async () => {
        for await (const chunk of child.stdout)
          for (const line of Buffer.from(chunk).toString().trim().split('\n')) {
            const update = JSON.parse(line)
            qr = update.qr ?? qr
            state = update.state
          }
      }
      void follow()
      return child
    }
    const waitFor = async (look: () => unknown, what: string) => {
      const deadline = Date.now() + 15_000
      while (!look()) {
        if (Date.now() > deadline)
          throw new Error(`waited for ${what}; the worker is ${state || 'silent'}: ${complaints}`)
        await Bun.sleep(5)
      }
    }
    const inbox = () => {
      const path = join(folder, 'inbox')
      if (!existsSync(path)) return []
      const text = readFileSync(path, 'utf8')
      return text
        .slice(0, text.lastIndexOf('\n') + 1)
        .split('\n')
        .filter((line) => line !== '')
        .map((line): string => JSON.parse(line))
    }

    let child = spawn()
    const ids: string[] = []
    let writing = true
    try {
      await waitFor(() => qr, 'a QR code')
      await sandbox.scan(String(qr), ME)
      await waitFor(() => state === 'working', 'the link')
      const write = async () => {
        while (writing) {
          ids.push(await sandbox.send({ from: BOB, to: ME }, { kind: 'text', text: `in ${ids.length}` }))
          await Bun.sleep(random() * 40)
        }
      }
      const writer = write()
      for (let kill = 0; kill < KILLS; kill++) {
        await waitFor(() => state === 'working' || state === 'all sent', 'the worker to work')
        await Bun.sleep(random() * 60)
        child.kill('SIGKILL')
        await child.exited
        child = spawn()
      }
      writing = false
      await writer
      await waitFor(() => state === 'all sent', 'everything to be sent')
      await waitFor(() => ids.every((id) => inbox().includes(id)), 'everything to be received')
    } finally {
      writing = false
      child.kill('SIGKILL')
      await child.exited
    }

    const received = inbox()
    expect(ids.filter((id) => !received.includes(id))).toEqual([])
    const arrived = sandbox.inbox(BOB).map(({ message }) => message.extendedTextMessage?.text)
    const first = [...new Set(arrived)]
    expect(first).toEqual(Array.from({ length: OUTBOUND }, (_, index) => `out ${index}`))
    expect(sandbox.undecryptable(ME)).toEqual([])
    expect(ids.length).toBeGreaterThan(20)
    await sandbox.close()
    rmSync(folder, { recursive: true })
  }),
  60_000,
)
