import { randomBytes } from 'node:crypto'
import { WAKE_CHANNEL } from '../../src/domain/businesses/index.ts'
import type { BusinessContext } from '../../src/domain/context.ts'
import type { SendSettings } from '../../src/domain/messages/index.ts'
import { beat, leave } from '../../src/domain/system/index.ts'
import { type AccountSettings, createAccount, getLink, type LinkView } from '../../src/domain/whatsapp/index.ts'
import { createLogger } from '../../src/lib/log.ts'
import { createSecretBox } from '../../src/lib/secret-box.ts'
import { createFileStorage } from '../../src/providers/storage/file.ts'
import { BaileysAccount, type BaileysAccountOptions } from '../../src/providers/whatsapp/baileys/account.ts'
import type { WhatsAppSandbox } from '../../src/sandbox/whatsapp/sandbox.ts'
import { startWhatsAppSandbox } from '../../src/sandbox/whatsapp/server.ts'
import {
  type AccountSupervisor,
  type SupervisorTiming,
  superviseAccounts,
} from '../../src/whatsapp/account-supervisor.ts'
import { temporaryDirectory } from './cleanup.ts'
import { openDomain, type TestDomain } from './domain.ts'

/** Without a pause, a limit, or typing. */
export const AT_ONCE: AccountSettings = { gapMs: 0, jitterMs: 0, typingMsPerChar: 0, newContactsPerDay: null }
export const NO_TWILIO = { twilio: () => ({ configured: false, defaultSender: null, own: false }) }

const TIMING: Partial<SupervisorTiming> = { tickMs: 200, renewMs: 1_000, leaseMs: 3_000, graceMs: 300, surplusMs: 500 }

export type LinkedFixture = {
  domain: TestDomain
  sandbox: WhatsAppSandbox
  filesIn: string
  supervise(options?: WorkerOptions): Promise<AccountSupervisor>
  /** A worker's share of the accounts, in this process. */
  linked(phone: string, settings?: AccountSettings): Promise<{ ctx: BusinessContext; id: string }>
  until<T>(look: () => Promise<T | null | undefined | false>, what: string, timeoutMs?: number): Promise<T>
  untilState(ctx: BusinessContext, id: string, state: LinkView['state']): Promise<LinkView>
  close(): Promise<void>
}

export type WorkerOptions = {
  name?: string
  timing?: Partial<SupervisorTiming>
  account?: Partial<Pick<BaileysAccountOptions, 'timing' | 'fetchMedia'>>
  settings?: SendSettings
}

/** A business with its own working account. */
export async function openLinkedFixture(): Promise<LinkedFixture> {
  const domain = await openDomain()
  const sandbox = await startWhatsAppSandbox({ port: 0 })
  const box = createSecretBox(randomBytes(32))
  const log = createLogger('silent')
  const filesIn = temporaryDirectory('files')
  const supervisors: AccountSupervisor[] = []
  let count = 0

  const until: LinkedFixture['until'] = async (look, what, timeoutMs = 15_000) => {
    for (const deadline = Date.now() + timeoutMs; ; await Bun.sleep(20)) {
      const value = await look()
      if (value) return value
      if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`)
    }
  }
  const untilState: LinkedFixture['untilState'] = (ctx, id, state) =>
    until(async () => {
      const view = await getLink(ctx, id)
      return view.state === state ? view : null
    }, `the account to be ${state}`)

  return {
    domain,
    sandbox,
    filesIn,
    until,
    untilState,
    async supervise({ name, timing, account, settings = NO_TWILIO } = {}) {
      count += 1
      // Processes count each other by their heartbeats.
      const self = { kind: 'whatsapp', host: 'test', pid: count, version: '0' } as const
      await beat(domain.ctx, self)
      const heart = setInterval(() => void beat(domain.ctx, self), 2_000)
      const supervisor = await superviseAccounts({
        ctx: domain.ctx,
        owner: name ?? `elsewhere/0 ${count} test`,
        timing: { ...TIMING, ...timing },
        deps: {
          box,
          storage: createFileStorage(filesIn),
          settings,
          log,
          open: (options) =>
            new BaileysAccount({
              ...options,
              ...account,
              box,
              log,
              websocketUrl: sandbox.wsUrl,
              mediaCa: sandbox.mediaCertificate,
              timing: { ackMs: 1_000, reconcileMs: 300, reconnect: { minMs: 20, maxMs: 200 }, ...account?.timing },
            }),
        },
        listen: async (wake) => (await domain.handle.sql.listen(WAKE_CHANNEL, wake)).unlisten,
      })
      let stopping: Promise<void> | null = null
      const stop = async () => {
        clearInterval(heart)
        await Promise.all([supervisor.stop(), leave(domain.ctx, self)])
      }
      const worker = {
        held: supervisor.held,
        stop: () => {
          stopping ??= stop()
          return stopping
        },
      }
      supervisors.push(worker)
      return worker
    },
    async linked(phone, settings = AT_ONCE) {
      const ctx = await domain.newBusiness()
      const { id } = await createAccount(ctx, settings)
      let scanned = ''
      await until(
        async () => {
          const { state, qr } = await getLink(ctx, id)
          if (qr && qr !== scanned) {
            scanned = qr
            await sandbox.scan(qr, phone)
          }
          return state === 'working'
        },
        'the account to be linked',
        30_000,
      )
      return { ctx, id }
    },
    async close() {
      for (const supervisor of supervisors) await supervisor.stop()
      await sandbox.close()
      await domain.close()
    },
  }
}
