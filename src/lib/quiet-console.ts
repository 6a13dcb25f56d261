const METHODS = ['log', 'info', 'warn', 'error'] as const
const quiet = new Set<string>()
let installed = false

/** Suppresses console lines with these beginnings: libsignal prints session records with private keys by console.info. */
export function quietConsole(prefixes: readonly string[]): void {
  for (const prefix of prefixes) quiet.add(prefix)
  if (installed) return
  installed = true
  for (const method of METHODS) {
    const original = console[method].bind(console)
    console[method] = (...args: unknown[]) => {
      const first = args[0]
      if (typeof first === 'string') for (const prefix of quiet) if (first.startsWith(prefix)) return
      original(...args)
    }
  }
}

/** Every line that libsignal 6.0.0 prints (session_record.js, session_builder.js, session_cipher.js, curve.js). */
export const LIBSIGNAL_LINES = [
  'V1 session storage migration error',
  'Migrating session to:',
  'Session already closed',
  'Session already open',
  'Closing session:',
  'Opening session:',
  'Removing old closed session:',
  'Closing open session in favor of incoming prekey bundle',
  'WARNING: Expected pubkey of length 33',
  'Unhandled bucket type',
  'Failed to decrypt message with any known session',
  'Session error:',
  'Decrypted message with closed session',
] as const
