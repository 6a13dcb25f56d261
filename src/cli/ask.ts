import { terminalLine } from '../lib/escape/terminal.ts'

const ENTER = /[\r\n]/
const CTRL_C = '\u0003'
const CTRL_D = '\u0004'
const ERASE = new Set(['\u007f', '\b'])

/** A person at a terminal, asked line by line. */
export type Asker = {
  /** @param hidden what is typed is not shown */
  ask(question: string, options?: { hidden?: boolean }): Promise<string>
  close(): void
}

/** Asks on standard error and listens on standard input, which is a terminal. Ctrl-C ends the command as it does anywhere. */
export function openAsker(): Asker {
  const { stdin, stderr } = process
  stdin.setEncoding('utf8')
  stdin.setRawMode(true)
  stdin.resume()
  // Keys that came before they were asked for: somebody pasted several lines.
  let waiting = ''
  let hear: (() => void) | null = null
  stdin.on('data', (keys) => {
    waiting += String(keys)
    hear?.()
  })
  const close = () => {
    stdin.setRawMode(false)
    stdin.pause()
  }
  return {
    async ask(question, { hidden = false } = {}) {
      stderr.write(question)
      let line = ''
      for (;;) {
        while (waiting === '')
          await new Promise<void>((resolve) => {
            hear = resolve
          })
        const key = String.fromCodePoint(waiting.codePointAt(0) ?? 0)
        waiting = waiting.slice(key.length)
        if (ENTER.test(key) || key === CTRL_D) {
          stderr.write('\n')
          return line.trim()
        }
        if (key === CTRL_C) {
          close()
          process.kill(process.pid, 'SIGINT')
        } else if (ERASE.has(key)) {
          if (line !== '' && !hidden) stderr.write('\b \b')
          line = line.slice(0, -1)
        } else if (key >= ' ') {
          line += key
          if (!hidden) stderr.write(terminalLine(key))
        }
      }
    },
    close,
  }
}
