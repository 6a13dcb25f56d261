export interface Thumbnailer {
  /**
   * A JPEG of at most 256 × 256 pixels, upright, for a JPEG, PNG, WebP or GIF.
   * @throws AppError `picture_unreadable` for anything else, for a broken picture, and for one of too many pixels
   */
  makeThumbnail(picture: Uint8Array): Promise<Uint8Array>
}
