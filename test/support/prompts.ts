import { mkdirSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A rendered prompt is stored under the hash of its voice and text: what one product rendered the next need not. */
export function shareRenderedPrompts(dataDir: string): void {
  const shared = join(tmpdir(), 'agentlocator-test-prompts')
  mkdirSync(shared, { recursive: true })
  symlinkSync(shared, join(dataDir, 'prompts'))
}
