import { terminalLine } from '../lib/escape/terminal.ts'

const ENTER = /[\r\n]/
const CTRL_C = '\u0003'
const CTRL_D = '\u0004'
const ERASE = new Set(['\u007f', '\b'])

export type Asker = {
  ask(question: string, options?: { hidden?: boolean }): Promise<string>
  close(): void
}

export function openAsker(): Asker {
  const { stdin, stderr } = process
  stdin.setEncoding('utf8')
  stdin.setRawMode(true)
  stdin.resume()
  // Keys that arrive before they are asked for: several lines may be pasted at once.
  let buffered = ''
  let onKeys: (() => void) | null = null
  stdin.on('data', (keys) => {
    buffered += String(keys)
    onKeys?.()
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
        while (buffered === '')
          await new Promise<void>((resolve) => {
            onKeys = resolve
          })
        const key = String.fromCodePoint(buffered.codePointAt(0) ?? 0)
        buffered = buffered.slice(key.length)
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
