import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** The accounts that the sandbox plays. They come in a file: a command line is visible to every user of the machine. */
export const sandboxSecrets = z.object({
  accountSid: z.string().regex(/^AC[0-9a-f]{32}$/),
  authToken: z.string().min(16),
  /** Without it there are no payment servers. */
  paymentsSecret: z.string().min(16).optional(),
  /** Without it OpenAI is not played. */
  openaiKey: z.string().min(16).optional(),
})
export type SandboxSecrets = z.infer<typeof sandboxSecrets>

/** @throws Error when the file cannot be read, ZodError when it does not fit */
export function readSandboxSecrets(path: string): SandboxSecrets {
  return sandboxSecrets.parse(JSON.parse(readFileSync(path, 'utf8')))
}
