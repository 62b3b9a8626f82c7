"""One of two data-parallel ranks of test_ranks.py: python one_rank.py RANK MEETING_FILE OUT_FILE."""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import save_file

from backend.shape_tokenizer.quantizer import CodebookUsage, SphericalVectorQuantizer
from backend.shape_tokenizer.transport import OptimalTransport


def main() -> None:
    rank, meeting, out = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    dist.init_process_group("gloo", init_method=Path(meeting).as_uri(), rank=rank, world_size=2)
    torch.manual_seed(0)
    quantizer = SphericalVectorQuantizer(width=12, n_codes=32, code_dim=6)
    rows = quantizer.latents(torch.randn(150, 12))
    mine = rows[:100] if rank == 0 else rows[100:]
    ids = OptimalTransport().assign(mine, quantizer.codebook_table())
    usage = CodebookUsage(32, decay=0.5)
    for _ in range(10):
        usage.update(torch.arange(8) + 8 * rank)  # 16 codes in use, 8 by each rank
    share = usage.share.clone()
    moved = usage.restart_dead(quantizer, mine, generator=torch.Generator().manual_seed(0))
    weight = quantizer.codebook.weight.detach()
    save_file({"ids": ids, "share": share, "codebook": weight, "moved": torch.tensor(moved)}, out)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
