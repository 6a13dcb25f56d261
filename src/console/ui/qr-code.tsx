import { useEffect, useState } from 'react'

/** A QR code as one path; the encoder is loaded when the first one is shown. */
export function QrCode({ text, label }: { text: string; label: string }) {
  const [code, setCode] = useState<{ size: number; path: string } | null>(null)
  useEffect(() => {
    let current = true
    void import('uqr').then(({ encode }) => {
      const { size, data } = encode(text, { border: 2 })
      const path = data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ''))).join('')
      if (current) setCode({ size, path })
    })
    return () => {
      current = false
    }
  }, [text])
  if (!code) return null
  return (
    <svg
      role="img"
      aria-label={label}
      viewBox={`0 0 ${code.size} ${code.size}`}
      className="size-64 bg-white"
      shapeRendering="crispEdges"
    >
      <path d={code.path} fill="#000" />
    </svg>
  )
}
