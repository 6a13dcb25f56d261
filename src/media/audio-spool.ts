import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { errorMessage } from '../lib/errors.ts'
import { newId } from '../lib/ids.ts'
import type { Logger } from '../lib/log.ts'

/** Two seconds of a call's audio: one write. */
export const SPOOL_BLOCK_BYTES = 16_000

/** Blocks of audio that wait outside the memory until what they belong to is over. */
export type AudioSpool = {
  /** An empty block of `SPOOL_BLOCK_BYTES`. */
  block(): Buffer
  /** Takes a block over; it must not be touched any more. @param used bytes of it that count */
  put(block: Buffer, used: number): SpooledBlock
}

export type SpooledBlock = {
  readonly used: number
  /** @throws when the disk does not return what it took */
  read(): Promise<Uint8Array>
  free(): void
}

/** Written blocks that are kept to be filled again. */
const MAX_EMPTY = 512

/** Without a disk: blocks stay in the memory. */
export const memorySpool: AudioSpool = {
  block: () => Buffer.allocUnsafeSlow(SPOOL_BLOCK_BYTES),
  put: (block, used) => ({ used, read: async () => block.subarray(0, used), free() {} }),
}

/**
 * Keeps blocks in one file that has no name, so that nothing of them outlives the process. Nothing waits for the disk; what
 * it does not take stays in the memory.
 * @param dir made when missing
 */
export function createFileSpool(dir: string, log: Logger): AudioSpool & { close(): Promise<void> } {
  const empty: Buffer[] = []
  const freeSlots: number[] = []
  let slots = 0
  let file: Promise<FileHandle> | null = null
  let failing = false

  async function openUnnamed(): Promise<FileHandle> {
    await mkdir(dir, { recursive: true })
    const path = join(dir, `${newId()}.spool`)
    const handle = await open(path, 'wx+', 0o600)
    await rm(path)
    return handle
  }

  function theFile(): Promise<FileHandle> {
    file ??= openUnnamed().catch((error: unknown) => {
      file = null
      throw error
    })
    return file
  }

  /** @returns whether the disk took it */
  async function write(block: Buffer, used: number, slot: number): Promise<boolean> {
    try {
      const { bytesWritten } = await (await theFile()).write(block, 0, used, slot * SPOOL_BLOCK_BYTES)
      if (bytesWritten !== used) throw new Error(`${bytesWritten} of ${used} bytes were written.`)
      failing = false
      return true
    } catch (error) {
      if (!failing) log.error({ error: errorMessage(error) }, 'audio of calls stays in memory: the disk takes none')
      failing = true
      return false
    }
  }

  return {
    block: () => empty.pop() ?? Buffer.allocUnsafeSlow(SPOOL_BLOCK_BYTES),
    put(block, used) {
      const slot = freeSlots.pop() ?? slots++
      let kept: Buffer | null = block
      const written = write(block, used, slot).then((taken) => {
        if (!taken) return
        kept = null
        if (empty.length < MAX_EMPTY) empty.push(block)
      })
      let freed = false
      return {
        used,
        async read() {
          await written
          if (kept) return kept.subarray(0, used)
          const bytes = Buffer.allocUnsafeSlow(used)
          const { bytesRead } = await (await theFile()).read(bytes, 0, used, slot * SPOOL_BLOCK_BYTES)
          if (bytesRead !== used) throw new Error(`${bytesRead} of ${used} bytes were read.`)
          return bytes
        },
        free() {
          if (freed) return
          freed = true
          // A slot that is still being written must not be written by another.
          void written.then(() => freeSlots.push(slot))
        },
      }
    },
    async close() {
      const handle = await file?.catch(() => null)
      file = null
      await handle?.close()
    },
  }
}
