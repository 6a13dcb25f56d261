import { mkdir, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { newId, sha256Hex } from '../../lib/ids.ts'
import { createLogger, type Logger } from '../../lib/log.ts'
import type { Language, SpeechSynthesizer } from './port.ts'

/** Rendered sentences as raw μ-law. The audio is shared: do not write into it. */
export type PromptCache = {
  /** From memory, else from disk, else rendered; the same text at the same time is rendered once. */
  render(text: string, language: Language): Promise<Uint8Array>
  /** From memory only: for the audio path. */
  peek(text: string, language: Language): Uint8Array | undefined
}

export type PromptCacheOptions = {
  /** Where rendered prompts are stored; made when missing. */
  dir: string
  synthesizer: SpeechSynthesizer
  /** Memory for prompts: 32 MB is over an hour of speech. The least recently used go first. */
  maxMemoryBytes?: number
  log?: Logger
}

/** Bytes of the SHA-256 that ends every file, so that a torn or damaged one is noticed. */
const DIGEST_BYTES = 32

export function createPromptCache(options: PromptCacheOptions): PromptCache {
  const { dir, synthesizer, maxMemoryBytes = 32 * 1024 * 1024 } = options
  const log = options.log ?? createLogger('warn', { part: 'prompts' })
  const memory = new Map<string, Uint8Array>()
  const rendering = new Map<string, Promise<Uint8Array>>()
  let memoryBytes = 0

  function keyOf(text: string, language: Language): string {
    return sha256Hex(`${synthesizer.version}\n${language}\n${text}`)
  }

  function recall(key: string): Uint8Array | undefined {
    const audio = memory.get(key)
    if (!audio) return undefined
    memory.delete(key)
    memory.set(key, audio)
    return audio
  }

  function remember(key: string, audio: Uint8Array): void {
    const old = memory.get(key)
    if (old) memoryBytes -= old.length
    memory.delete(key)
    memory.set(key, audio)
    memoryBytes += audio.length
    for (const [oldest, its] of memory) {
      if (memoryBytes <= maxMemoryBytes || oldest === key) break
      memory.delete(oldest)
      memoryBytes -= its.length
    }
  }

  async function load(key: string, text: string, language: Language): Promise<Uint8Array> {
    const path = join(dir, `${key}.ulaw`)
    const kept = await readKept(path, log)
    const audio = kept ?? (await synthesizer.synthesize({ text, language }))
    remember(key, audio)
    // A prompt that is not stored can still be played.
    if (!kept)
      await keep(dir, path, audio).catch((error) => log.warn({ err: error, dir }, 'a prompt could not be kept on disk'))
    return audio
  }

  return {
    peek: (text, language) => recall(keyOf(text, language)),
    async render(text, language) {
      const key = keyOf(text, language)
      const known = recall(key)
      if (known) return known
      const started = rendering.get(key)
      if (started) return started
      const job = load(key, text, language).finally(() => rendering.delete(key))
      rendering.set(key, job)
      return job
    },
  }
}

/** A prompt from disk; undefined when it is missing or damaged. */
async function readKept(path: string, log: Logger): Promise<Uint8Array | undefined> {
  const file = Bun.file(path)
  if (!(await file.exists())) return undefined
  const bytes = await file.bytes()
  const audio = bytes.slice(0, -DIGEST_BYTES)
  if (audio.length > 0 && digest(audio).equals(bytes.subarray(-DIGEST_BYTES))) return audio
  log.warn({ path }, 'a kept prompt is damaged and is rendered anew')
  return undefined
}

/** Writes under another name and renames, so that no reader gets half a prompt. */
async function keep(dir: string, path: string, audio: Uint8Array): Promise<void> {
  await mkdir(dir, { recursive: true })
  const aside = `${path}.${newId()}.part`
  try {
    await Bun.write(aside, Buffer.concat([audio, digest(audio)]))
    await rename(aside, path)
  } catch (error) {
    await unlink(aside).catch((cause) => {
      throw new Error('a half-written prompt could not be removed', { cause })
    })
    throw error
  }
}

function digest(audio: Uint8Array): Buffer {
  return Buffer.from(sha256Hex(audio), 'hex')
}
