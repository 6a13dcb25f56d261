import { AppError, type ErrorKind } from '../lib/errors.ts'
import { readJson } from './errors.ts'
import { refuseComplexJson } from './json-complexity.ts'

/** `text`: the caller parses it. */
export type JsonRequest = { bytes: Uint8Array; as: 'value' | 'text' }
export type JsonReply =
  | { kind: 'read'; value: unknown }
  | { kind: 'refused'; error: { kind: ErrorKind; code: string; message: string } }
  | { kind: 'failed' }

declare const self: Worker

function read({ bytes, as }: JsonRequest): JsonReply {
  try {
    const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    refuseComplexJson(body)
    const text = new TextDecoder().decode(body)
    return { kind: 'read', value: as === 'text' ? text : readJson(text) }
  } catch (error) {
    if (!(error instanceof AppError)) return { kind: 'failed' }
    return { kind: 'refused', error: { kind: error.kind, code: error.code, message: error.message } }
  }
}

self.onmessage = ({ data }: MessageEvent<JsonRequest>) => {
  self.postMessage(read(data))
}
