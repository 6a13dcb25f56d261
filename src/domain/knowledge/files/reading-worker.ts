import { writeFileSync } from 'node:fs'
import { errorMessage } from '../../../lib/errors.ts'
import { readPage } from '../site/read-page.ts'
import { Unreadable } from '../unreadable.ts'
import { readFile } from './read-file.ts'
import { type ReadRequest, readRequest } from './reading-protocol.ts'

/**
 * Reads one file or page of a stranger and ends: the process that started it watches its time and memory. It gets the request as a line
 * of JSON and the bytes behind it, and answers with JSON.
 */
async function main(): Promise<void> {
  offerToTheKernel()
  const input = new Uint8Array(await Bun.stdin.arrayBuffer())
  const end = input.indexOf(0x0a)
  const request = readRequest.parse(JSON.parse(new TextDecoder().decode(input.subarray(0, end))))
  await Bun.write(Bun.stdout, JSON.stringify(await answer(request, input.slice(end + 1))))
}

async function answer(request: ReadRequest, bytes: Uint8Array): Promise<object> {
  try {
    return request.kind === 'file'
      ? { ok: true, ...(await readFile(bytes, request.fileName)) }
      : { ok: true, ...readPage(bytes, request.contentType, request.url) }
  } catch (error) {
    const reason = error instanceof Unreadable ? error.reason : 'broken'
    return { ok: false, reason, detail: errorMessage(error).slice(0, 300) }
  }
}

/** When the machine is out of memory, this process goes first. */
function offerToTheKernel(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000')
  } catch {
    // Not Linux.
  }
}

if (import.meta.main) {
  await main()
  // A parser may have left timers.
  process.exit(0)
}
