/** The mark: a lap, with the bird's crest where it closes. */
export function Mark({ size = 20 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 40 40" aria-hidden="true" className="brand">
      <path
        d="M33.5 17.2A14 14 0 1 1 22.6 6.3"
        fill="none"
        stroke="var(--accent)"
        strokeWidth="4"
        strokeLinecap="round"
      />
      <path
        d="M23 18c3-6 7.500-9.500 13.500-12.500"
        fill="none"
        stroke="var(--ink)"
        strokeWidth="3"
        strokeLinecap="round"
      />
      <circle cx="19.500" cy="20.500" r="4" fill="var(--ink)" />
    </svg>
  );
}
