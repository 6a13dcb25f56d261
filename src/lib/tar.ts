import { type FileHandle, open } from 'node:fs/promises'

/** A tar archive (POSIX ustar) being written to a file; entries are streamed, their sizes filled in afterwards. */
export type TarWriter = {
  add(name: string, data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<{ bytes: number; sha256: string }>
  close(): Promise<void>
}

export type TarEntry = { name: string; offset: number; size: number }

export type TarReader = {
  entries: Map<string, TarEntry>
  read(entry: TarEntry): AsyncGenerator<Uint8Array>
  readAll(entry: TarEntry): Promise<Uint8Array>
  close(): Promise<void>
}

const BLOCK = 512
const CHUNK = 256 * 1024

/** @param path a file that must not exist yet */
export async function writeTar(path: string): Promise<TarWriter> {
  const file = await open(path, 'wx', 0o600)
  let position = 0
  const append = async (data: Uint8Array) => {
    await file.write(data, 0, data.byteLength, position)
    position += data.byteLength
  }
  return {
    async add(name, data) {
      const headerAt = position
      const hash = new Bun.CryptoHasher('sha256')
      let bytes = 0
      position += BLOCK
      for await (const chunk of data) {
        hash.update(chunk)
        bytes += chunk.byteLength
        await append(chunk)
      }
      await file.write(header(name, bytes), 0, BLOCK, headerAt)
      if (bytes % BLOCK > 0) await append(new Uint8Array(BLOCK - (bytes % BLOCK)))
      return { bytes, sha256: hash.digest('hex') }
    },
    async close() {
      await append(new Uint8Array(BLOCK * 2))
      await file.sync()
      await file.close()
    },
  }
}

/** @throws Error when the file is no tar archive or is cut off */
export async function readTar(path: string): Promise<TarReader> {
  const file = await open(path, 'r')
  try {
    return { entries: await index(file), ...reader(file) }
  } catch (error) {
    await file.close()
    throw error
  }
}

function reader(file: FileHandle) {
  async function* read(entry: TarEntry): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < entry.size; at += CHUNK) {
      const chunk = new Uint8Array(Math.min(CHUNK, entry.size - at))
      const { bytesRead } = await file.read(chunk, 0, chunk.byteLength, entry.offset + at)
      if (bytesRead < chunk.byteLength) throw new Error(`The archive is cut off in ${entry.name}.`)
      yield chunk
    }
  }
  return {
    read,
    async readAll(entry: TarEntry) {
      const chunks: Uint8Array[] = []
      for await (const chunk of read(entry)) chunks.push(chunk)
      return new Uint8Array(Buffer.concat(chunks))
    },
    close: () => file.close(),
  }
}

async function index(file: FileHandle): Promise<Map<string, TarEntry>> {
  const { size: total } = await file.stat()
  const entries = new Map<string, TarEntry>()
  const block = new Uint8Array(BLOCK)
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(block, 0, BLOCK, at)
    if (bytesRead < BLOCK) throw new Error('The archive is cut off.')
    if (block.every((byte) => byte === 0)) return entries
    const field = (from: number, length: number) =>
      new TextDecoder().decode(block.slice(from, from + length)).replace(/\0.*$/s, '')
    if (field(257, 5) !== 'ustar' || Number.parseInt(field(148, 8), 8) !== checksum(block))
      throw new Error('This is no tar archive.')
    const prefix = field(345, 155)
    const name = prefix ? `${prefix}/${field(0, 100)}` : field(0, 100)
    const size = Number.parseInt(field(124, 12).trim(), 8)
    if (at + BLOCK + size > total) throw new Error(`The archive is cut off in ${name}.`)
    entries.set(name, { name, offset: at + BLOCK, size })
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK
  }
}

function header(name: string, size: number): Uint8Array {
  const block = new Uint8Array(BLOCK)
  const put = (at: number, text: string) => block.set(new TextEncoder().encode(text), at)
  const cut = name.length > 100 ? name.lastIndexOf('/', 155) : -1
  if (name.length > 100 && (cut < 1 || name.length - cut - 1 > 100)) throw new Error(`The name ${name} is too long.`)
  put(0, name.slice(cut + 1))
  if (cut > 0) put(345, name.slice(0, cut))
  put(100, '0000600\0')
  put(108, '0000000\0')
  put(116, '0000000\0')
  put(124, `${size.toString(8).padStart(11, '0')}\0`)
  put(
    136,
    `${Math.floor(Date.now() / 1_000)
      .toString(8)
      .padStart(11, '0')}\0`,
  )
  put(156, '0')
  put(257, 'ustar\x0000')
  put(148, `${checksum(block).toString(8).padStart(6, '0')}\0 `)
  return block
}

/** The sum of the header's bytes, its own field counted as blanks. */
function checksum(block: Uint8Array): number {
  return block.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 32 : byte), 0)
}
