import type { SocketConfig } from '@whiskeysockets/baileys'
import { errorMessage } from '../../../lib/errors.ts'
import type { Logger } from '../../../lib/log.ts'

type ClientLogger = SocketConfig['logger']

/** The connection status reports the first with code and reason; the second is logged at every first link. */
const OF_NO_USE = new Set(['stream errored out', 'no name present, ignoring presence update request...'])

/**
 * Baileys' logger: warnings and errors only, text only, with possible phone numbers masked. Baileys passes whole stanzas and
 * keys to its logger, which must not be logged.
 */
export function createClientLogger(log: Logger): ClientLogger {
  const nothing = () => {}
  const write = (level: 'warn' | 'error') => (details: unknown, text?: string) => {
    const reason = reasonOf(details)
    const words = text ?? (typeof details === 'string' ? details : 'baileys')
    if (OF_NO_USE.has(words)) return
    // A stanza that the library cannot handle is not our failure: both levels are warnings here.
    log.warn({ library: 'baileys', libraryLevel: level, ...(reason ? { reason: mask(reason) } : {}) }, mask(words))
  }
  const logger: ClientLogger = {
    level: 'warn',
    child: () => logger,
    trace: nothing,
    debug: nothing,
    info: nothing,
    warn: write('warn'),
    error: write('error'),
  }
  return logger
}

function reasonOf(details: unknown): string | null {
  if (typeof details !== 'object' || details === null) return null
  for (const name of ['err', 'error', 'e', 'trace']) {
    const value: unknown = Reflect.get(details, name)
    if (value instanceof Error) return errorMessage(value)
    if (typeof value === 'string') return value.split('\n', 1)[0] ?? null
  }
  return null
}

const mask = (text: string) => text.replace(/\d{6,}/g, '…')
