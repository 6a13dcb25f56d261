import pino, { type Logger } from 'pino'

export type { Logger }

/**
 * The product's logger: one JSON line an event on stdout, secrets redacted by field name.
 * @param level pino level, `silent` included
 * @param base fields on every line, for example `{ process: 'web' }`
 */
export function createLogger(level: string, base: Record<string, unknown> = {}): Logger {
  return pino({
    level,
    base,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: ['authorization', 'token', 'password', 'secret', 'apiKey', 'authToken', '*.authorization', '*.token'],
      censor: '[redacted]',
    },
  })
}

/** The last digits of a phone number, all that a log line may carry of it. */
export function maskPhone(value: string | null | undefined): string {
  if (!value) return ''
  const digits = value.replace(/\D/g, '')
  return digits.length < 4 ? '…' : `…${digits.slice(-4)}`
}
