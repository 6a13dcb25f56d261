import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { PRIVATE_FILE } from '../../lib/file-modes.ts'
import type { SandboxSecrets } from '../../sandbox/secrets.ts'

/** What a command beside a running sandbox needs to place a simulated call; `DATA_DIR/sandbox.json`, mode 0600. */
const sandboxFile = z.object({
  publicBaseUrl: z.string(),
  carrierUrl: z.string(),
  accountSid: z.string(),
  authToken: z.string(),
  baileysSecret: z.string(),
  /** Root of the sandbox's WhatsApp; its remote control is under `/_control`. */
  whatsappUrl: z.string().optional(),
  /** Root of the played text model; its rules are under `/_control`. */
  modelsUrl: z.string().optional(),
  paymentsSecret: z.string().optional(),
  paypalUrl: z.string().optional(),
  tranzilaUrl: z.string().optional(),
  calendarsUrl: z.string().optional(),
})
export type SandboxFile = z.infer<typeof sandboxFile>

/** The sandbox that runs, or ran last, on `dataDir`; null when none did. */
export function readSandboxFile(dataDir: string): SandboxFile | null {
  const path = join(dataDir, 'sandbox.json')
  return existsSync(path) ? sandboxFile.parse(JSON.parse(readFileSync(path, 'utf8'))) : null
}

/** Replaces a file that only this user may read. */
export function writeSecretFile(path: string, content: SandboxFile | SandboxSecrets): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: PRIVATE_FILE })
  renameSync(`${path}.new`, path)
}
