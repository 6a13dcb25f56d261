/** Storage of recordings and media. Keys are slash-separated relative paths, never taken from outside. */
export interface ObjectStorage {
  /** Writes the whole object or nothing. */
  put(key: string, data: Uint8Array, contentType: string): Promise<void>
  /** @returns null when there is no object @param range first and last byte, both inclusive */
  get(key: string, range?: { start: number; end: number }): Promise<{ body: Blob; size: number } | null>
  delete(key: string): Promise<void>
  /** Rejects with the problem when the storage cannot be used. */
  check(): Promise<void>
}
