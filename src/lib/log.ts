import pino, { type Logger } from 'pino'
import { readableLogLine } from './readable-log.ts'
import { maskText, redactFields } from './redact.ts'

export { describeError } from './redact.ts'
export type { Logger }

/**
 * The product's logger: one JSON line an event on stdout, or a readable one where that is a terminal. Every field, error and message passes one redaction: no secret, no
 * parameter of a statement, no whole address or telephone number stands in a log.
 * @param level pino level, `silent` included
 * @param base fields on every line, for example `{ process: 'web' }`
 * @param destination stdout when left out
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
    // Errors are described by the redaction, under whatever name they come.
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
  // A child's own fields pass none of the formatters.
  const child: Logger['child'] = log.child
  log.child = function (this: Logger, bindings, settings) {
    return child.call(this, redactFields(bindings), settings)
  } as Logger['child']
  return log
}

/** For a person before a terminal. Written at once, so that the last words of a process are seen. */
function readableDestination(): pino.DestinationStream {
  const terminal = pino.destination({ fd: 1, sync: true })
  return { write: (line) => void terminal.write(readableLogLine(line, Bun.enableANSIColors)) }
}

/** The last digits of a phone number, all that a log line may carry of it. */
export function maskPhone(value: string | null | undefined): string {
  if (!value) return ''
  const digits = value.replace(/\D/g, '')
  return digits.length < 4 ? '…' : `…${digits.slice(-4)}`
}
