import pino, { type Logger } from 'pino'
import { readableLogLine } from './readable-log.ts'
import { maskText, redactFields } from './redact.ts'

export { describeError } from './redact.ts'
export type { Logger }

/**
 * One JSON line an event (`base`: fields of each), or readable on a terminal. Everything is redacted: secrets, statement
 * parameters, addresses and numbers are never logged in full.
 */
export function createLogger(
  level: string,
  base: Record<string, unknown> = {},
  destination?: pino.DestinationStream,
): Logger {
  const options: pino.LoggerOptions = {
    level,
    base,
    timestamp: pino.stdTimeFunctions.isoTime,
    // The redaction describes errors, in any field.
    serializers: { err: (error: unknown) => error },
    formatters: { log: redactFields, bindings: redactFields },
    hooks: {
      logMethod(given, method) {
        const [first, second] = given
        if (first instanceof Error) method.call(this, { err: first }, maskText(second ?? ''))
        else if (typeof first === 'string') method.call(this, maskText(first))
        else method.call(this, first, second === undefined ? undefined : maskText(second))
      },
    },
  }
  const to = destination ?? (process.stdout.isTTY ? readableDestination() : undefined)
  const log = to ? pino(options, to) : pino(options)
  // pino does not pass a child's fields through the formatters.
  const child: Logger['child'] = log.child
  log.child = function (this: Logger, bindings, settings) {
    return child.call(this, redactFields(bindings), settings)
  } as Logger['child']
  return log
}

/** Synchronous, so that the last lines of a process are not lost. */
function readableDestination(): pino.DestinationStream {
  const terminal = pino.destination({ fd: 1, sync: true })
  return { write: (line) => void terminal.write(readableLogLine(line, Bun.enableANSIColors)) }
}

export function maskPhone(value: string | null | undefined): string {
  if (!value) return ''
  const digits = value.replace(/\D/g, '')
  return digits.length < 4 ? '…' : `…${digits.slice(-4)}`
}
