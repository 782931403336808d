/*
 * L3: THREADS threads clear overlapping ranges of entries, [1,3), [2,4) and [1,4), and flush what they cleared themselves. With FORCE who
 * sees another gather flushes all of its range; with SYNC it waits until none is open. Afterwards nothing of its range may be stale.
 */
byte pending, lock;
bit entry[4] = 1, stale[4] = 1;

proctype zap(byte low, high)
{
	byte page = low, from = high, to = low;

	pending++;
	do
	:: page == high -> break
	:: else ->
		atomic { lock == 0 -> lock = 1 };
		if
		:: entry[page] -> d_step { entry[page] = 0; from = (from < page -> from : page); to = page + 1 }
		:: else
		fi;
		d_step { lock = 0; page++ }
	od;
#ifdef FORCE
	atomic {
		if
		:: pending > 1 -> from = low; to = high
		:: else
		fi
	};
#endif
	atomic { page = from; from = 0 };
	do
	:: page >= to -> break
	:: else ->
		d_step { stale[page] = 0; page++ }
	od;
	atomic { pending--; to = 0 };
#ifdef SYNC
	(pending == 0);
#endif
	page = low;
	do
	:: page == high -> break
	:: else ->
		d_step { assert(!stale[page]); page++ }
	od
}

init
{
	atomic {
		run zap(1, 3);
		run zap(2, 4);
#if THREADS > 2
		run zap(1, 4)
#endif
	}
}
