import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import { createLogger, type Logger } from '../../lib/log.ts'
import { LIBSIGNAL_LINES, quietConsole } from '../../lib/quiet-console.ts'
import { refuseForeign } from '../guard.ts'
import { makeLoopbackCertificate, type SelfSigned } from './certificate.ts'
import { Connection } from './connection.ts'
import { answerControl } from './control.ts'
import { MediaServer } from './media.ts'
import { makeNoiseIdentity } from './noise.ts'
import { PairingRegistry } from './pairing.ts'
import { WhatsAppSandbox } from './sandbox.ts'
import { WhatsAppState } from './whatsapp-state.ts'

export type WhatsAppSandboxOptions = {
  port: number
  /** Port of the media host (TLS); a free one when unset. */
  mediaPort?: number
  /** File of accounts and links over restarts; none when unset. */
  stateFile?: string
  logger?: Logger
}

const SAVE_EVERY_MS = 1_000

/**
 * Starts the sandbox's WhatsApp on the loopback interface: an unmodified Baileys client links to it, sends, and receives.
 * `wsUrl` is the client's socket URL; `controlUrl` takes the requests of `control.ts` from any process.
 */
export async function startWhatsAppSandbox(options: WhatsAppSandboxOptions): Promise<WhatsAppSandbox> {
  quietConsole(LIBSIGNAL_LINES)
  const state = new WhatsAppState(options.logger ?? createLogger('silent'))
  const { stateFile } = options
  if (stateFile && existsSync(stateFile)) state.restore(readFileSync(stateFile, 'utf8'))
  const media = new MediaServer(options.mediaPort ?? 0, stateFile ? loadCertificate(`${stateFile}.cert`) : undefined)
  state.mediaHost = media.host
  const desk = new PairingRegistry(state)
  const identity = makeNoiseIdentity()
  const server = Bun.serve<{ connection: Connection | undefined }>({
    port: options.port,
    hostname: '127.0.0.1',
    idleTimeout: 120,
    fetch(request, listener) {
      const { pathname } = new URL(request.url)
      if (pathname.startsWith('/_control/')) return refuseForeign(request) ?? answerControl(sandbox, request)
      if (pathname !== '/ws/chat') return new Response('not found', { status: 404 })
      const refusal = state.faults.take('refuse_upgrade')
      if (refusal) return new Response('refused', { status: refusal.status })
      if (listener.upgrade(request, { data: { connection: undefined } })) return undefined
      return new Response('this is a WebSocket', { status: 426 })
    },
    websocket: {
      idleTimeout: 960,
      maxPayloadLength: 64 * 1_048_576,
      backpressureLimit: 64 * 1_048_576,
      open(socket) {
        socket.data.connection = new Connection(state, desk, identity, {
          send: (bytes) => void socket.sendBinary(bytes),
          close: () => socket.close(),
          terminate: () => socket.terminate(),
        })
      },
      message(socket, data) {
        if (typeof data === 'string') socket.terminate()
        else socket.data.connection?.receive(data)
      },
      close(socket) {
        socket.data.connection?.onClosed()
      },
    },
  })
  const save = () => {
    if (!stateFile) return
    // Written to a second file and renamed, so that a crash leaves the old state or the new one.
    writeFileSync(`${stateFile}.new`, state.snapshot(), { mode: 0o600 })
    renameSync(`${stateFile}.new`, stateFile)
  }
  const saving = stateFile ? setInterval(save, SAVE_EVERY_MS) : undefined
  const base = `127.0.0.1:${server.port}`
  const sandbox = new WhatsAppSandbox({ state, desk, media, base }, async () => {
    clearInterval(saving)
    save()
    await server.stop(true)
    await media.stop()
    state.close()
  })
  return sandbox
}

const selfSigned = z.object({ certificate: z.string(), privateKey: z.string() })

/** The media host's certificate, the same over restarts, so that clients still trust it. */
function loadCertificate(file: string): SelfSigned {
  if (existsSync(file)) return selfSigned.parse(JSON.parse(readFileSync(file, 'utf8')))
  const made = makeLoopbackCertificate()
  writeFileSync(file, JSON.stringify(made), { mode: 0o600 })
  return made
}
