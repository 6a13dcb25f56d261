import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** The sandbox's accounts, read from a file: every user of the machine can see a command line. */
export const sandboxSecrets = z.object({
  accountSid: z.string().regex(/^AC[0-9a-f]{32}$/),
  authToken: z.string().min(16),
  paymentsSecret: z.string().min(16).optional(),
  openaiKey: z.string().min(16).optional(),
})
export type SandboxSecrets = z.infer<typeof sandboxSecrets>

/** @throws Error when the file cannot be read, ZodError when it does not fit */
export function readSandboxSecrets(path: string): SandboxSecrets {
  return sandboxSecrets.parse(JSON.parse(readFileSync(path, 'utf8')))
}
