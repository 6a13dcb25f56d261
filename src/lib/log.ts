import pino, { type DestinationStream, type Logger } from 'pino'
import { errorMessage, stackFrames } from './errors.ts'
import { readableLogLine } from './readable-log.ts'

export type { Logger }

/**
 * The product's logger: one JSON line an event on stdout, or a readable one where that is a terminal; secrets redacted by field name.
 * @param level pino level, `silent` included
 * @param base fields on every line, for example `{ process: 'web' }`
 */
export function createLogger(level: string, base: Record<string, unknown> = {}): Logger {
  const options = {
    level,
    base,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: describeError },
    redact: {
      paths: ['authorization', 'token', 'password', 'secret', 'apiKey', 'authToken', '*.authorization', '*.token'],
      censor: '[redacted]',
    },
  }
  return process.stdout.isTTY ? pino(options, readableDestination()) : pino(options)
}

/** For a person before a terminal. Written at once, so that the last words of a process are seen. */
function readableDestination(): DestinationStream {
  const terminal = pino.destination({ fd: 1, sync: true })
  return { write: (line) => void terminal.write(readableLogLine(line, Bun.enableANSIColors)) }
}

/** An error for the log: what, why and where, with its causes; no parameters of statements. */
export function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  return {
    type: error.name,
    message: errorMessage(error),
    ...('code' in error ? { code: error.code } : {}),
    stack: stackFrames(error),
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
  }
}

/** The last digits of a phone number, all that a log line may carry of it. */
export function maskPhone(value: string | null | undefined): string {
  if (!value) return ''
  const digits = value.replace(/\D/g, '')
  return digits.length < 4 ? '…' : `…${digits.slice(-4)}`
}
