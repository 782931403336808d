/*
 * L1 under sequential consistency: a flusher clears an entry, makes a generation and looks who is in the mask; a CPU enters the mask, reads
 * the generation, then the entry. One of the two must see the other.
 */
#define NOTHING 9

byte mask = 0, generation = 1, entry = 1;
byte sawMask = NOTHING, sawGeneration = NOTHING, sawEntry = NOTHING;

active proctype observer()
{
	(_nr_pr == 1);
	assert(!(sawMask == 0 && sawGeneration == 1 && sawEntry == 1))
}

active proctype flusher()
{
	entry = 0;
	generation = 2;
	sawMask = mask
}

active proctype switcher()
{
	mask = 1;
	sawGeneration = generation;
	sawEntry = entry
}
