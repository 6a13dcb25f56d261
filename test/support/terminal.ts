import { machineEnvironment } from './product-process.ts'

const WAIT_MS = 100_000

/** A program in a terminal of its own, as a person sits before it. */
export type TestTerminal = {
  /** Everything that was shown, with colours and cursor movements left out; a line ends with `\n`. */
  shown(): string
  /** The bytes as the terminal got them. */
  raw(): string
  type(keys: string): void
  /** Waits until what was shown matches. @throws Error with what was shown instead */
  until(pattern: RegExp): Promise<void>
  /** The exit code. @throws Error when it does not end */
  ended(): Promise<number>
}

export const CTRL_C = '\u0003'
export const TAB = '\t'

/** Starts a program under a pseudo-terminal, which is its controlling one: Ctrl-C reaches it as it does anywhere. */
export function openTerminal(
  command: string[],
  options: { env?: Record<string, string>; cwd?: string; columns?: number } = {},
): TestTerminal {
  let raw = ''
  const decoder = new TextDecoder()
  const child = Bun.spawn(command, {
    env: { ...machineEnvironment(), TERM: 'xterm', ...options.env },
    ...(options.cwd ? { cwd: options.cwd } : {}),
    terminal: {
      cols: options.columns ?? 200,
      rows: 50,
      data: (_, bytes) => {
        raw += decoder.decode(bytes, { stream: true })
      },
    },
  })
  const shown = () => withoutControls(raw)
  const within = async (ready: () => boolean, what: string) => {
    for (const deadline = Date.now() + WAIT_MS; !ready(); await Bun.sleep(20))
      if (Date.now() > deadline) {
        child.kill('SIGKILL')
        throw new Error(`${what} within ${WAIT_MS} ms; the terminal shows:\n${shown().slice(-2_000)}`)
      }
  }
  return {
    shown,
    raw: () => raw,
    type: (keys) => void child.terminal?.write(keys),
    until: (pattern) => within(() => pattern.test(shown()), `${pattern} was not shown`),
    async ended() {
      await within(() => child.exitCode !== null || child.signalCode !== null, `${command.join(' ')} did not end`)
      // What was written last may still be on its way.
      for (let before = -1; before !== raw.length; ) {
        before = raw.length
        await Bun.sleep(50)
      }
      child.terminal?.close()
      return child.exitCode ?? -1
    },
  }
}

function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the terminal's own
  return text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '').replaceAll('\r\n', '\n')
}
