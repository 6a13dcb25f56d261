import type { SocketConfig } from '@whiskeysockets/baileys'
import { errorMessage } from '../../../lib/errors.ts'
import type { Logger } from '../../../lib/log.ts'

type ClientLogger = SocketConfig['logger']

/** Told by the connection's state with code and reason; and what happens at each first link, before a name is known. */
const OF_NO_USE = new Set(['stream errored out', 'no name present, ignoring presence update request...'])

/**
 * Baileys' logger: only warnings and errors, only their text, digits that could be a phone number taken out. Baileys passes
 * whole stanzas and keys to its logger, which have no place in a log.
 */
export function createClientLogger(log: Logger): ClientLogger {
  const nothing = () => {}
  const write = (level: 'warn' | 'error') => (details: unknown, text?: string) => {
    const reason = reasonOf(details)
    const words = text ?? (typeof details === 'string' ? details : 'baileys')
    if (OF_NO_USE.has(words)) return
    // What the library cannot do for one stanza is no failure of ours: both levels are warnings here.
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
