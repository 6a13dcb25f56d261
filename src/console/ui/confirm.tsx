import { useEffect, useRef, useState } from 'react'
import { useTranslations } from 'use-intl'
import { Act } from './buttons.tsx'

/** A button for what cannot be undone: it asks once more, in its place. */
export function Confirm({
  label,
  question,
  isDisabled = false,
  onConfirm,
}: {
  label: string
  question: string
  isDisabled?: boolean
  onConfirm(): void
}) {
  const t = useTranslations('state')
  const [asking, setAsking] = useState(false)
  const cancel = useRef<HTMLButtonElement>(null)
  useEffect(() => {
    if (asking) cancel.current?.focus()
  }, [asking])
  if (!asking)
    return (
      <Act isDisabled={isDisabled} onPress={() => setAsking(true)}>
        {label}
      </Act>
    )
  return (
    <div role="alertdialog" aria-label={question} className="flex flex-wrap items-center gap-2">
      <span className="text-danger">{question}</span>
      <Act
        onPress={() => {
          setAsking(false)
          onConfirm()
        }}
      >
        {label}
      </Act>
      <Act ref={cancel} look="quiet" onPress={() => setAsking(false)}>
        {t('cancel')}
      </Act>
    </div>
  )
}
