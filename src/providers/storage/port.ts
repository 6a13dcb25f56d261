/** Where recordings and media live. Keys are slash-separated relative paths, never taken from outside. */
export interface ObjectStorage {
  /** Writes the whole object; it is there completely or not at all. */
  put(key: string, data: Uint8Array, contentType: string): Promise<void>
  /**
   * A readable object, or null when there is none.
   * @param range first and last byte, both inclusive
   */
  get(key: string, range?: { start: number; end: number }): Promise<{ body: Blob; size: number } | null>
  delete(key: string): Promise<void>
  /** Rejects with what is wrong when the storage cannot be used. */
  check(): Promise<void>
}
