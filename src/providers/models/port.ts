/** A text model, asked for one JSON object. Absent where none is configured. */
export interface TextModel {
  readonly name: string
  /** Whether its key is accepted. @throws AppError `model_unreachable`, `model_refused` */
  check(): Promise<void>
  /**
   * @returns the parsed JSON that the model answered; its form is for the caller to check
   * @throws AppError `model_unreachable`, `model_refused`, `model_garbled`
   */
  askForJson(request: { system: string; user: string }): Promise<unknown>
}
