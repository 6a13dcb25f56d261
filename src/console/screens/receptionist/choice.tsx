export function Choice<T extends string>({
  legend,
  value,
  options,
  onChange,
}: {
  legend: string
  value: T
  options: Record<T, string>
  onChange(value: string): void
}) {
  return (
    <fieldset className="flex flex-col gap-1">
      <legend className="mb-1 font-medium">{legend}</legend>
      {Object.entries<string>(options).map(([key, label]) => (
        <label key={key} className="flex items-center gap-2">
          <input type="radio" name={legend} checked={key === value} onChange={() => onChange(key)} />
          {label}
        </label>
      ))}
    </fieldset>
  )
}
